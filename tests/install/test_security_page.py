"""docs/security.md gives the reason of every right of the controller, and of no other."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from rollout.cli.manifests import objects
from rollout.commands.doctor import rights as doctor
from rollout.commands.doctor.rights import OF_NO_NAMESPACE, OF_THE_CONTROLLER, of_lease
from tests.install.installed import ROOT

Right = tuple[str, frozenset[str]]


def documented() -> Iterator[Right]:
    page = (ROOT / "docs" / "security.md").read_text()
    table = page.partition("| resources | verbs | why |\n|---|---|---|\n")[2].partition("\n\n")[0]
    for row in table.splitlines():
        resources, verbs, reason = (cell.strip() for cell in row.strip("|").split("|"))
        assert len(reason) > 20, f"{resources}: why?"
        for resource in re.findall(r"`([a-z/.0-9]+)`", resources.partition(" named")[0]):
            named = " named" if "named" in resources else ""
            yield resource + named, frozenset(verbs.split(", "))


def granted() -> Iterator[Right]:
    roles = [body for body in objects() if body["kind"] in {"ClusterRole", "Role"}]
    for role in roles:
        if role["metadata"]["name"].startswith("rollout-controller"):
            for rule in role["rules"]:
                yield from rights(rule)


def rights(rule: dict[str, Any]) -> Iterator[Right]:
    (group,) = rule["apiGroups"]
    named = " named" if rule.get("resourceNames") else ""
    for resource in rule["resources"]:
        yield f"{resource}.{group}".rstrip(".") + named, frozenset(rule["verbs"])


def test_every_right_of_the_controller_has_its_reason_and_no_other_is_claimed() -> None:
    assert Counter(documented()) == Counter(granted())


def test_doctor_asks_for_every_right_of_the_controller_and_for_no_other() -> None:
    asked = [*OF_THE_CONTROLLER, *OF_NO_NAMESPACE, *of_lease("rollout-controller")]
    assert Counter(each(map(as_granted, asked))) == Counter(each(granted()))


def as_granted(right: doctor.Right) -> Right:
    named = " named" if right.name else ""
    return f"{right.resource}.{right.group}".rstrip(".") + named, frozenset(right.verbs)


def each(rights_: Iterable[Right]) -> Iterator[tuple[str, str]]:
    return ((resource, verb) for resource, verbs in rights_ for verb in verbs)


def test_no_right_is_a_wildcard_or_leads_to_others() -> None:
    for resource, verbs in granted():
        assert "*" not in {*verbs, *resource.split(".")}
        assert not verbs & {"escalate", "bind", "impersonate", "deletecollection", "update"}
        assert not {"secrets", "pods/exec", "serviceaccounts/token"} & {resource}
