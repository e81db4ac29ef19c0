"""The commands of the example's page, typed where every environment runs already.

On a control plane of its own, because the page names the namespaces. Only durations differ, and
health is asked at the edge: no API server reaches pods that are processes.
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlane
from tests.debian import REDIS
from tests.examples.service import Service, haste
from tests.examples.trees import KNOWN, MANIFESTS, OVERLAYS
from tests.foreign import install_foreign
from tests.install.installed import install_rights
from tests.person import Person, command

pytestmark = [pytest.mark.controlplane, pytest.mark.system, pytest.mark.timeout(480)]
SERVICE: Final = KNOWN["development"].service
"""Its name without a prefix."""
PAGE: Final = "manifests/examples/gemini-agent/README.md"


class Called(Service):
    """One whose callers stay for all of the page."""

    called_seconds = 450.0


@pytest.fixture
def plane(own_control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Access:
    """One that knows all kinds, on a machine that has a Redis."""
    monkeypatch.setenv("PATH", str(REDIS.program("redis-server").parent), prepend=":")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(REDIS.libraries()), prepend=":")
    plane = own_control_plane.access
    install_rights(plane)
    install_foreign(plane)
    return plane


@pytest.fixture
def services(plane: Access, tmp_path: Path) -> Iterator[dict[str, Service]]:
    with ExitStack() as stack:
        found = dict[str, Service]()
        for name in OVERLAYS:
            folder = tmp_path / name
            folder.mkdir()
            found[name] = stack.enter_context(Called(plane, KNOWN[name], folder))
        yield found


@pytest.fixture
def person(plane: Access, services: dict[str, Service], tmp_path: Path) -> Person:
    """Somebody in the folder of the example; its overlays have seconds where ours have minutes."""
    desk = Person.at(tmp_path / "desk", plane.program)
    for name in ("examples", "kustomize"):
        shutil.copytree(MANIFESTS / name, desk.folder / name)
    example = desk.folder / "examples" / "gemini-agent"
    for name, service in services.items():
        file = example / "overlays" / name / "kustomization.yaml"
        body: dict[str, Any] = yaml.safe_load(file.read_text())
        body["patches"] = [*body.get("patches", []), *haste(SERVICE), *service.nearby("")]
        file.write_text(yaml.safe_dump(body))
    place = {**desk.environment, "KUBECONFIG": str(plane.kubeconfig)}
    return Person(example, place)


def test_every_command_of_the_page_does_what_it_says(
    person: Person, services: dict[str, Service]
) -> None:
    tree = types(person, command(PAGE, "kubectl kustomize"))
    assert "namespace: gemini-agents-prod" in tree
    ask = {name: f" --health-url {one.edge.url}/health" for name, one in services.items()}
    shown = types(person, command(PAGE, "./scripts/deploy.sh development") + ask["development"])
    assert "releasing v1.3.1" in shown
    assert services["development"].serves() == "v1.3.1"
    with ThreadPoolExecutor() as hands:  # each in its own shell, at the same time
        for done in [
            hands.submit(there_and_back, person, services[name], ask[name])
            for name in ("staging", "production")
        ]:
            done.result()


def there_and_back(person: Person, service: Service, ask: str) -> None:
    """Type the page's commands for staging, for an environment that may be another."""
    name = service.overlay.name
    ship = command(PAGE, "./scripts/deploy.sh staging").replace("staging", name)
    back = command(PAGE, "./scripts/rollback.sh staging").replace("staging", name)
    assert "releasing v1.2.4" in types(person, ship + ask)
    assert service.serves() == "v1.2.4"
    types(person, back)
    assert service.serves() == KNOWN[name].tag


def types(person: Person, script: str) -> str:
    done = person.types(script, seconds=240)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout
