"""The compiled PromQL of each preset, run by a real Prometheus on what exporters really show.

The pages in `recorded/` were taken before and after requests that were counted one by one; see
`record.py` and `record_ingress_nginx.py` for how, and for what in front of the latter is played.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rollout.analysis.counts import Counting, Pair, Reading
from rollout.analysis.signals import signals
from rollout.commands.policies import policy_in
from rollout.metrics.addresses import AddressMap
from rollout.metrics.presets import PRESETS
from rollout.metrics.provider import Ask, PodAddress, Side, TrackQuery
from rollout.metrics.registry import provider
from rollout.resources.metric import LatencyMetric, RatioMetric, Unit
from rollout.resources.policy import Preset, RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider
from tests.analysis.build import pair
from tests.metrics.record import RECORDED
from tests.metrics.record_ingress_nginx import BOUNDS, REQUESTS, WILDCARD, after, before, counted
from tests.metrics.servers import answering
from tests.prometheus.config import Target
from tests.prometheus.server import Prometheus as Server

PATIENCE: Final = 20.0


@dataclass
class Pages:
    """The pages of a preset's exporters, served over HTTP; `number` says which recording."""

    name: str
    number: int = 1
    targets: list[Target] = field(default_factory=list)

    @property
    def exporters(self) -> list[str]:
        """Name of each exporter: the edge's, or track and pod."""
        files = (RECORDED / self.name).glob("*.1.txt")
        return sorted(file.name.removesuffix(".1.txt") for file in files)

    def serve(self, stack: ExitStack, labels: dict[str, str]) -> None:
        """Serve every page; pods are labelled as a cluster's Prometheus labels them."""
        for exporter in self.exporters:
            port = stack.enter_context(answering(self._answer(exporter)))
            own = {"namespace": "default", "pod": exporter.partition(".")[2]}
            shown = labels if self.name != "http" else own
            self.targets.append(Target(f"127.0.0.1:{port}", shown))

    def _answer(self, exporter: str) -> Any:
        def answer(handler: Any, _: object) -> None:
            file = RECORDED / self.name / f"{exporter}.{self.number}.txt"
            handler.send_response(200)
            handler.send_header("Content-Type", "text/plain; version=0.0.4")
            handler.end_headers()
            handler.wfile.write(file.read_bytes())

        return answer

    def query(self) -> TrackQuery:
        """What a release of the service asks."""
        return TrackQuery(
            "shop" if self.name == "ingress-nginx" else "default",
            Side("s", "web", self._pods("stable")),
            Side("c", "web-candidate", self._pods("candidate"), route="web"),
        )

    def _pods(self, track: str) -> tuple[PodAddress, ...]:
        names = [one.partition(".")[2] for one in self.exporters if one.startswith(f"{track}.")]
        return tuple(PodAddress(name, "127.0.0.1", 1) for name in names)

    def counted(self) -> dict[str, dict[str, Any]]:
        """What the load generator counted between the recordings, by track."""
        found: dict[str, dict[str, Any]] = json.loads(
            (RECORDED / self.name / "counted.json").read_text()
        )
        return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prometheus")


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(folder) as running:
        yield running


def spec(server: Server, preset: Preset, **settings: Any) -> RolloutPolicySpec:
    return RolloutPolicySpec(
        preset=preset,
        provider=PrometheusProvider.model_validate({"address": server.address, **settings}),
        metrics=(RatioMetric(name="errors"), LatencyMetric(name="latency", bounds=BOUNDS)),
    )


EXPORTED: Final = [
    {"label": "exported_namespace", "value": "${namespace}"},
    {"label": "exported_service", "value": "${route}"},
    {"label": "canary", "op": "=~", "value": "${canary}"},
]
CASES: Final = {
    "http": (Preset.HTTP, {}, {}),
    "envoy": (Preset.ENVOY, {"namespace": "edge", "pod": "envoy-1"}, {}),
    "ingress-nginx": (Preset.INGRESS_NGINX, {}, {}),
    "ingress-nginx without honorLabels": (
        Preset.INGRESS_NGINX,
        {"namespace": "ingress-nginx", "service": "ingress-nginx-controller-metrics"},
        {"trackMatchers": EXPORTED},
    ),
}


@pytest.mark.system
@pytest.mark.timeout(90)
@pytest.mark.parametrize(("preset", "labels", "settings"), CASES.values(), ids=CASES.keys())
def test_each_preset_counts_exactly_what_was_sent(
    server: Server, preset: Preset, labels: dict[str, str], settings: dict[str, Any]
) -> None:
    policy, pages = spec(server, preset, **settings), Pages(str(preset))
    source = provider(policy, AddressMap.identity())
    with ExitStack() as stack:
        stack.callback(source.close)
        pages.serve(stack, labels)
        server.set_targets(pages.targets)
        watch = Watch(pages, policy, source)
        watch.until(lambda: watch.targets == len(pages.exporters))
        pages.number = 2
        counts = pages.counted()
        expected = pair(
            counts["candidate"]["bad"],
            counts["candidate"]["total"],
            counts["stable"]["bad"],
            counts["stable"]["total"],
        )
        watch.until(lambda: watch.sums.get("errors") == expected)
        watch.until(lambda: watch.sums == {**expected_latency(pages, preset), "errors": expected})
        time.sleep(1.5)
        watch.look()
        assert watch.sums["errors"] == expected


class Watch:
    """Sums the blocks between readings."""

    def __init__(self, pages: Pages, policy: RolloutPolicySpec, source: Any) -> None:
        self._ask = Ask(policy, pages.query())
        self._source = source
        self._counting = Counting()
        self.targets = 0
        self.sums: dict[str, Pair] = {}
        self.last: object = None

    def look(self) -> None:
        """Take one reading."""
        (self.last,) = self._source.sample([self._ask], datetime.now(UTC))
        if not isinstance(self.last, Reading):
            return
        self.targets = len(self.last.targets)
        self._counting, block = self._counting.take(self.last, signals(self._ask.policy))
        for name, counts in (block.pairs if block else {}).items():
            self.sums[name] = self.sums.get(name, Pair()).plus(counts)

    def until(self, holds: Any) -> None:
        """Look until something holds."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, f"sums {self.sums}, last {self.last}"
            time.sleep(0.1)
            self.look()


# --- latency, worked out from the pages by hand: what the generator measured is not what they show


def expected_latency(pages: Pages, preset: Preset) -> dict[str, Pair]:
    found = {}
    for bound in BOUNDS:
        counts = {track: slower(pages, preset, track, bound) for track in ("stable", "candidate")}
        found[f"latency>{bound:g}s"] = pair(*counts["candidate"], *counts["stable"])
    return found


def slower(pages: Pages, preset: Preset, track: str, bound: float) -> tuple[float, float]:
    """Give the requests of a track that took longer than a bound, and all, between the pages."""
    names = PRESETS[preset].histogram
    scale = 1000 if names.unit is Unit.MILLISECONDS else 1
    total = within = 0.0
    for sign, number in ((-1, 1), (1, 2)):
        for exporter in pages.exporters:
            text = (RECORDED / pages.name / f"{exporter}.{number}.txt").read_text()
            for sample in samples(text, f"{names.metric}_bucket"):
                if not belongs(preset, exporter, sample.labels, track):
                    continue
                edge = float(sample.labels["le"])
                total += sign * sample.value if edge == float("inf") else 0
                within += sign * sample.value if edge == bound * scale else 0
    return total - within, total


def samples(text: str, name: str) -> Iterator[Any]:
    for family in text_string_to_metric_families(text):
        yield from (sample for sample in family.samples if sample.name == name)


def belongs(preset: Preset, exporter: str, labels: dict[str, str], track: str) -> bool:
    if preset is Preset.HTTP:
        return exporter.startswith(f"{track}.")
    aside = track == "candidate"
    if preset is Preset.ENVOY:
        service = labels["envoy_cluster_name"].split("_")[1:2]
        return service == ["web-candidate" if aside else "web"]
    mine = (labels["namespace"], labels["service"]) == ("shop", "web")
    return mine and labels["canary"] == ("shop-web-candidate-http" if aside else "")


# --- what the recordings are


def test_the_ready_policy_says_what_the_preset_does() -> None:
    file = Path(__file__).parents[2] / "policies" / "ingress-nginx.yaml"
    own = policy_in(file.read_text(), file.name)
    assert isinstance(own.provider, PrometheusProvider)
    assert own.provider.track_matchers == PRESETS[Preset.INGRESS_NGINX].track_matchers


@pytest.mark.parametrize("name", ["http", "envoy", "ingress-nginx"])
def test_the_recordings_tell_the_tracks_apart(name: str) -> None:
    counts = Pages(name).counted()
    assert counts["candidate"]["bad"] > 0
    assert counts["stable"]["total"] > counts["candidate"]["total"] > 20


def test_a_canary_of_ingress_nginx_is_counted_under_the_users_service() -> None:
    """Why the tracks cannot be told apart by Service."""
    text = (RECORDED / "ingress-nginx" / "controller.2.txt").read_text()
    found = [line for line in text.splitlines() if line.startswith(f"{REQUESTS}{{")]
    canary = [line for line in found if 'canary="shop-web-candidate-http"' in line]
    assert len(canary) == 4
    assert all('service="web"' in line and 'ingress="web"' in line for line in canary)


def test_ingress_nginx_counts_each_message_unless_its_host_is_one_by_wildcard() -> None:
    """The recording is of these messages, and a wildcard's hosts are in no series."""
    names = ("namespace", "ingress", "service", "canary", "host", "path", "method", "status")
    sent = before() + after()
    kept = [message for message in sent if message["host"] != WILDCARD.host]
    assert len(kept) < len(sent)
    text = (RECORDED / "ingress-nginx" / "controller.2.txt").read_text()
    shown = {
        tuple(sample.labels[name] for name in names): sample.value
        for sample in samples(text, f"{REQUESTS}_total")  # so called by the parser only
    }
    assert shown == Counter(tuple(message[name] for name in names) for message in kept)
    assert Pages("ingress-nginx").counted() == counted(after())


@pytest.mark.parametrize("track", ["stable", "candidate"])
@pytest.mark.parametrize("bound", BOUNDS)
def test_the_buckets_of_ingress_nginx_are_in_seconds(track: str, bound: float) -> None:
    """Its help text says milliseconds."""
    pages = Pages("ingress-nginx")
    counts = pages.counted()[track]
    expected = (counts["slower"][f"{bound:g}"], counts["total"])
    assert slower(pages, Preset.INGRESS_NGINX, track, bound) == expected
