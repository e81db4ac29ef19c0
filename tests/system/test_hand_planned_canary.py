"""The order of a release, played by hand: what the controller is built to do loses no request.

Pods close their listener and their idle connections the moment they are told to stop, Envoy
retries nothing, and the load generator neither: whatever the order leaves open shows up here.
"""

import time
from collections.abc import Callable

import pytest

from rollout.resources.words import CANDIDATE, POD_TEMPLATE_HASH, TRACK
from rollout.resources.writes import Kind
from rollout.sandbox.edge import Edge
from rollout.sandbox.load import Load, Plan, Snapshot
from tests.sandbox.practice import HOST, SERVICE, Shop, await_served, deployment, ingress, service

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(90)]

RATE = 200.0
DRAIN = 1.0
HOLD = 2.0
REPLICAS = 4
CANARY = "shop-canary"


class Hand:
    """A person who knows the order, one method per movement."""

    def __init__(self, shop: Shop, old: str, new: str) -> None:
        self.shop = shop
        self.old = old
        self.new = new
        self.stable = shop.hash_of(SERVICE, old)
        self.candidate = ""

    def prepare(self) -> None:
        self.shop.pause(SERVICE, paused=True)
        self.narrow(self.stable)
        labels = {TRACK: CANDIDATE}
        self.shop.create(deployment(self.new, name=CANARY, replicas=0, labels=labels))
        self.candidate = self.shop.hash_of(CANARY, self.new)
        self.shop.scale(CANARY, REPLICAS)
        self.shop.await_ready(CANARY, REPLICAS)
        selector = {"app": SERVICE, POD_TEMPLATE_HASH: self.candidate}
        self.shop.create(service(selector, CANARY), ingress(CANARY, name=CANARY, weight=0))
        time.sleep(DRAIN)

    def narrow(self, template_hash: str) -> None:
        self.shop.select({"app": SERVICE, POD_TEMPLATE_HASH: template_hash})
        time.sleep(DRAIN)

    def remove_route(self) -> None:
        self.shop.weigh(0)
        time.sleep(DRAIN)
        self.shop.delete(Kind.INGRESS, CANARY)

    def remove_candidate(self) -> None:
        self.shop.scale(CANARY, 0)
        self.shop.await_ready(CANARY, 0)
        self.shop.delete(Kind.DEPLOYMENT, CANARY)
        self.shop.delete(Kind.SERVICE, CANARY)
        self.shop.await_gone(Kind.DEPLOYMENT, CANARY)

    def cut_over(self) -> None:
        self.narrow(self.candidate)
        self.remove_route()

    def adopt(self) -> None:
        template = deployment(self.new)["spec"]["template"]
        self.shop.replace(Kind.DEPLOYMENT, SERVICE, "/spec/template", template)
        self.shop.pause(SERVICE, paused=False)
        self.shop.await_ready(SERVICE, REPLICAS)
        self.shop.pause(SERVICE, paused=True)
        self.narrow(self.shop.hash_of(SERVICE, self.new))
        self.remove_candidate()
        self.give_back()

    def roll_back(self) -> None:
        self.narrow(self.stable)
        self.remove_route()
        self.remove_candidate()
        self.give_back()

    def give_back(self) -> None:
        self.shop.select({"app": SERVICE})
        self.shop.pause(SERVICE, paused=False)
        time.sleep(DRAIN)


@pytest.fixture
def measure(shop: Shop, edge: Edge) -> Callable[[Callable[[Load], None]], Snapshot]:
    """Run a sequence under load; no request may be lost in it."""

    def run(sequence: Callable[[Load], None]) -> Snapshot:
        shop.open("v1", REPLICAS)
        await_served(edge.url, HOST)
        with Load(Plan(f"{edge.url}/", host=HOST, rate=RATE, seconds=80)) as load:
            time.sleep(HOLD)
            sequence(load)
            time.sleep(HOLD)
        result = load.tally.snapshot()
        print(f"{result.sent} requests, {result.lost_count} lost")
        assert described(result, edge) == []
        assert result.answered == result.sent
        return result

    return run


def described(result: Snapshot, edge: Edge) -> list[str]:
    """Say of each lost request when it was sent, and of each failure what Envoy thinks of it."""
    began = min(result.by_second)
    lost = [f"{outcome.at - began:.3f} s: {outcome.detail}" for outcome in result.lost]
    return lost + [str(failure) for failure in edge.failures()]


Measure = Callable[[Callable[[Load], None]], Snapshot]


def share_during(load: Load, seconds: float, version: str) -> float:
    before = load.tally.snapshot()
    time.sleep(seconds)
    return load.tally.snapshot().since(before).share(version)


def test_a_canary_by_hand_loses_no_request(shop: Shop, measure: Measure) -> None:
    shares: dict[int, float] = {}

    def sequence(load: Load) -> None:
        hand = Hand(shop, "v1", "v2")
        hand.prepare()
        for weight in (20, 50):
            shop.weigh(weight)
            time.sleep(0.2)
            shares[weight] = share_during(load, HOLD, "v2")
        hand.cut_over()
        shares[100] = share_during(load, HOLD, "v2")
        hand.adopt()

    measure(sequence)
    print(f"shares {shares}")
    assert shares[20] == pytest.approx(0.2, abs=0.08)
    assert shares[50] == pytest.approx(0.5, abs=0.10)
    assert shares[100] == 1.0
    assert shop.get(Kind.SERVICE)["spec"]["selector"] == {"app": SERVICE}
    assert len(shop.pods(app=SERVICE)) == REPLICAS


def test_a_rollback_by_hand_after_the_cutover_loses_no_request(
    shop: Shop, measure: Measure
) -> None:
    def sequence(load: Load) -> None:
        hand = Hand(shop, "v1", "v2")
        hand.prepare()
        shop.weigh(50)
        time.sleep(HOLD)
        hand.narrow(hand.candidate)
        assert share_during(load, HOLD, "v2") == 1.0
        hand.roll_back()
        assert share_during(load, HOLD, "v1") == 1.0

    measure(sequence)
    assert len(shop.pods(app=SERVICE)) == REPLICAS
