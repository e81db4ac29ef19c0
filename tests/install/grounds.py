"""A cluster of one's own with the service of the scenarios, to install into and to remove from."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import httpx

from rollout.resources.release import Release
from rollout.resources.writes import Kind
from tests.controlplane.access import Access
from tests.install.installed import ACCOUNT, account_token, apply, await_policy
from tests.scenarios.scenario import Ends, Scenario
from tests.scenarios.stage import Server, Stage

SHOP: Final = "shop"
HOME: Final = "rollout-system"
PLURALS: Final = ("releases", "rollouts", "rolloutpolicies")


def story(claim: str, **said: Any) -> Scenario:
    """Words for the stage: steps of three seconds, callers at the edge."""
    ends = Ends(phase="Succeeded", exit=0)
    return Scenario.model_validate({"claim": claim, "ends": ends, "tells": ("Started",), **said})


def until(
    claim: Callable[[], Any], what: str, seconds: float = 60.0, on: Stage | None = None
) -> Any:
    """Wait until a claim holds, and give what it gives; `on` tells the controller's log if not."""
    deadline = time.monotonic() + seconds
    while not (found := claim()):
        log = f"\n{on.log()}" if on is not None else ""
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}{log}"
        time.sleep(0.05)
    return found


def open_shop(plane: Access) -> None:
    """Make the namespace of the service, in which pods can be created."""
    plane.kubectl("create", "namespace", SHOP)
    account = ("get", "serviceaccount", "default")
    until(lambda: not plane.kubectl(*account, namespace=SHOP, check=False).returncode, "pods may")


def install(plane: Access, objects: list[dict[str, Any]]) -> str:
    """Install as an administrator, and wait until all of it counts; gives the account's token.

    The kinds come first: who applies all at once tries again until they are there.
    """
    kinds = [one for one in objects if one["kind"] == "CustomResourceDefinition"]
    apply(plane, kinds)
    await_kinds(plane)
    apply(plane, [one for one in objects if one not in kinds])
    await_policy(plane)
    may = ("auth", "can-i", "patch", "releases.rollout.dev", f"--as={ACCOUNT}")
    until(lambda: not plane.kubectl(*may, namespace=SHOP, check=False).returncode, "the rights")
    return account_token(plane)


def await_kinds(plane: Access) -> None:
    """Wait until our kinds are established, and the server has set up where it keeps them."""
    established = ("wait", "--for=condition=Established", "--timeout=30s", "crd")
    plane.kubectl(*established, *(f"{plural}.rollout.dev" for plural in PLURALS), timeout=40)
    with plane.client() as client:
        until(lambda: all(map(is_served, repeat(client), PLURALS)), "they are served")


def is_served(client: httpx.Client, plural: str) -> bool:
    """Whether a kind of ours can be listed now."""
    return client.get(f"/apis/rollout.dev/v1alpha1/{plural}").is_success


def server_of(plane: Access, account: str | None) -> Server:
    """The API server, for a controller that comes with that token (None: as administrator)."""
    place = (plane.url, plane.token(), str(plane.ca_file), plane.kubeconfig, plane.program)
    return Server("real", *place, account)


@contextmanager
def stage(plane: Access, account: str | None, said: Scenario, folder: Path) -> Iterator[Stage]:
    """Set up the service in its namespace."""
    with Stage(server_of(plane, account), SHOP, said, folder) as found:
        yield found


def at(found: Stage, weight: int) -> Release:
    """Wait until the newest release has its candidate at a share."""

    def there() -> Release | None:
        release = found.release()
        return release if release and release.status.weight.applied == weight else None

    release: Release = until(there, f"{weight} %", on=found)
    return release


def ended(found: Stage, name: str, seconds: float = 60.0) -> Release:
    """Wait for the end of a release."""

    def there() -> Release | None:
        release = Release.model_validate(found.cluster.get(Kind.RELEASE, SHOP, name))
        return release if release.status.phase.ended else None

    release: Release = until(there, f"the end of {name}", seconds, on=found)
    return release
