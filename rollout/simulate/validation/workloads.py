"""What is refused in Deployments, ReplicaSets and Pods."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rollout.resources.writes import Object
from rollout.simulate.objects import EMPTY, dig, put
from rollout.simulate.refusals import (
    FieldError,
    duplicate,
    forbidden_field,
    invalid,
    required,
    unsupported,
)
from rollout.simulate.selectors import matches_structure
from rollout.simulate.validation.names import (
    complain,
    immutable,
    label_name,
    labels,
    metadata,
    not_negative,
    port_number,
)

PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
RESTART_POLICIES: Final = ("Always", "Never", "OnFailure")
POD_UPDATABLE: Final = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def deployment(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a Deployment."""
    errors = metadata(new, namespaced=True)
    spec = new["spec"]
    errors += _replicated(spec)
    errors += _strategy(spec["strategy"])
    for field in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        errors += not_negative(f"spec.{field}", spec.get(field, 0))
    deadline = spec["progressDeadlineSeconds"]
    if deadline <= spec.get("minReadySeconds", 0):
        detail = "must be greater than minReadySeconds"
        errors.append(invalid("spec.progressDeadlineSeconds", deadline, detail))
    return errors + _same_selector(new, old)


def replica_set(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a ReplicaSet."""
    errors = metadata(new, namespaced=True) + _replicated(new["spec"])
    errors += not_negative("spec.minReadySeconds", new["spec"].get("minReadySeconds", 0))
    return errors + _same_selector(new, old)


def _same_selector(new: Object, old: Object | None) -> list[FieldError]:
    if old is None:
        return []
    selector = new["spec"].get("selector")
    return list(immutable("spec.selector", selector, old["spec"].get("selector")))


def _replicated(spec: Object) -> list[FieldError]:
    errors = list(not_negative("spec.replicas", spec["replicas"]))
    selector = spec.get("selector")
    if selector is None:
        errors.append(required("spec.selector"))
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(
            invalid("spec.selector", selector, "empty selector is invalid for deployment")
        )
    return errors + _template(spec["template"], selector)


def _template(template: Object, selector: Object | None) -> list[FieldError]:
    found = (template["metadata"] or EMPTY).get("labels")
    errors = []
    if selector is None or not matches_structure(selector, found or EMPTY):
        detail = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", found, detail))
    errors += labels("spec.template.labels", found)
    errors += pod_spec(template["spec"], "spec.template.spec")
    policy = template["spec"].get("restartPolicy")
    if policy != "Always" and policy in RESTART_POLICIES:
        errors.append(unsupported("spec.template.spec.restartPolicy", policy, ("Always",)))
    return errors


def _strategy(strategy: Object) -> Iterator[FieldError]:
    kind, update = strategy["type"], strategy.get("rollingUpdate")
    if kind == "Recreate":
        if update is not None:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            yield forbidden_field("spec.strategy.rollingUpdate", detail)
    elif kind == "RollingUpdate":
        yield from _rolling_update(update or EMPTY)
    else:
        yield unsupported("spec.strategy", strategy, ("Recreate", "RollingUpdate"))


def _rolling_update(update: Mapping[str, Any]) -> Iterator[FieldError]:
    field = "spec.strategy.rollingUpdate"
    unavailable, surge = update.get("maxUnavailable"), update.get("maxSurge")
    for name, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        yield from _count_or_percent(f"{field}.{name}", value)
    if _number(unavailable) == 0 and _number(surge) == 0:
        detail = "may not be 0 when `maxSurge` is 0"
        yield invalid(f"{field}.maxUnavailable", unavailable, detail)
    if isinstance(unavailable, str) and _number(unavailable) > 100:  # noqa: PLR2004 - percent
        yield invalid(f"{field}.maxUnavailable", unavailable, "must not be greater than 100%")


def _count_or_percent(field: str, value: Any) -> Iterator[FieldError]:
    if isinstance(value, int):
        yield from not_negative(field, value)
    elif not (isinstance(value, str) and value.endswith("%") and value[:-1].isdigit()):
        detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"  # noqa: E501 - the server's sentence
        yield invalid(field, value, detail)


def _number(value: Any) -> int:
    digits = str(value).rstrip("%")
    return int(digits) if digits.isdigit() else -1


def pod(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a Pod."""
    errors = metadata(new, namespaced=True) + list(pod_spec(new["spec"], "spec"))
    if old is not None and _frozen(new, old) != old["spec"]:
        detail = f"pod updates may not change fields other than {POD_UPDATABLE}"
        errors.append(forbidden_field("spec", detail))
    return errors


def _frozen(new: Object, old: Object) -> Any:
    """The new spec, with what may be changed put back to what it was."""
    spec = new["spec"]
    for field in ("containers", "initContainers"):
        before = old["spec"].get(field) or ()
        after = spec.get(field) or ()
        if len(before) == len(after) and after:
            pairs = zip(after, before, strict=True)
            images = [{**now, "image": then.get("image")} for now, then in pairs]
            spec = put(spec, (field,), images)
    for field in ("activeDeadlineSeconds", "tolerations"):
        if field in old["spec"] and field in spec:
            spec = put(spec, (field,), old["spec"][field])
    return spec


def pod_spec(spec: Object, field: str) -> Iterator[FieldError]:
    """Errors of a pod spec at `field`."""
    if not spec.get("containers"):
        yield required(f"{field}.containers")
    names: set[str] = set()
    for index, container in enumerate(spec.get("containers") or ()):
        at = f"{field}.containers[{index}]"
        yield from _container(container, at)
        if container.get("name") in names:
            yield duplicate(f"{at}.name", container["name"])
        names.add(container.get("name", ""))
    if spec["restartPolicy"] not in RESTART_POLICIES:
        yield unsupported(f"{field}.restartPolicy", spec["restartPolicy"], RESTART_POLICIES)
    yield from not_negative(
        f"{field}.terminationGracePeriodSeconds", spec["terminationGracePeriodSeconds"]
    )


def _container(container: Object, field: str) -> Iterator[FieldError]:
    if not container.get("name"):
        yield required(f"{field}.name")
    else:
        yield from complain(f"{field}.name", container["name"], label_name)
    if not container.get("image"):
        yield required(f"{field}.image")
    if container["imagePullPolicy"] not in PULL_POLICIES:
        yield unsupported(f"{field}.imagePullPolicy", container["imagePullPolicy"], PULL_POLICIES)
    names: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        at = f"{field}.ports[{index}]"
        yield from _container_port(port, at)
        if port.get("name") and port["name"] in names:
            yield duplicate(f"{at}.name", port["name"])
        names.add(port.get("name", ""))


def _container_port(port: Object, field: str) -> Iterator[FieldError]:
    if not port.get("containerPort"):
        yield required(f"{field}.containerPort")
    else:
        for complaint in port_number(port["containerPort"]):
            yield invalid(f"{field}.containerPort", port["containerPort"], complaint)
    if port["protocol"] not in PROTOCOLS:
        yield unsupported(f"{field}.protocol", port["protocol"], PROTOCOLS)


def deployment_status(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a Deployment's status."""
    del old
    status = new.get("status") or EMPTY
    replicas = status.get("replicas", 0)
    errors = []
    for field in ("updatedReplicas", "readyReplicas", "availableReplicas"):
        count = status.get(field, 0)
        if count > replicas:
            detail = "cannot be greater than status.replicas"
            errors.append(invalid(f"status.{field}", count, detail))
    if status.get("availableReplicas", 0) > status.get("readyReplicas", 0):
        detail = "cannot be greater than readyReplicas"
        count = dig(status, "availableReplicas")
        errors.append(invalid("status.availableReplicas", count, detail))
    return errors
