"""What is refused in Services, Ingresses, EndpointSlices, and the small kinds beside them."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, Final

from rollout.resources.writes import Object
from rollout.simulate.objects import EMPTY, dig
from rollout.simulate.refusals import (
    FieldError,
    duplicate,
    forbidden_field,
    invalid,
    required,
    unsupported,
)
from rollout.simulate.validation.names import (
    IMMUTABLE,
    complain,
    immutable,
    label_name,
    labels,
    metadata,
    not_negative,
    port_number,
    service_name,
    subdomain,
)
from rollout.simulate.validation.workloads import PROTOCOLS

SERVICE_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITIES: Final = ("ClientIP", "None")
PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
_CONFIG_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_BAD_CONFIG_KEY: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', "
    " or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
UNSAFE_PATHS: Final = ("//", "/./", "/../", "%2f", "%2F")


def service(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a Service."""
    errors = metadata(new, namespaced=True, rule=service_name)
    spec = new["spec"]
    kind = spec["type"]
    if kind not in SERVICE_TYPES:
        errors.append(unsupported("spec.type", kind, SERVICE_TYPES))
    if spec["sessionAffinity"] not in AFFINITIES:
        errors.append(unsupported("spec.sessionAffinity", spec["sessionAffinity"], AFFINITIES))
    if not spec.get("ports") and kind != "ExternalName" and spec.get("clusterIP") != "None":
        errors.append(required("spec.ports"))
    errors += labels("spec.selector", spec.get("selector"))
    errors += _service_ports(spec.get("ports") or ())
    if kind == "ExternalName":
        errors += complain("spec.externalName", spec.get("externalName", ""), subdomain)
    return errors + list(_cluster_address(spec, old))


def _service_ports(ports: Any) -> Iterator[FieldError]:
    names: set[str] = set()
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        field = f"spec.ports[{index}]"
        name = port.get("name", "")
        if not name and len(ports) > 1:
            yield required(f"{field}.name")
        elif name:
            yield from complain(f"{field}.name", name, label_name)
            if name in names:
                yield duplicate(f"{field}.name", name)
            names.add(name)
        yield from _service_port(port, field)
        key = (port.get("port"), port.get("protocol"))
        if key in seen:
            yield duplicate(field, {"port": key[0], "protocol": key[1]})
        seen.add(key)


def _service_port(port: Object, field: str) -> Iterator[FieldError]:
    for complaint in port_number(port.get("port")):
        yield invalid(f"{field}.port", port.get("port", 0), complaint)
    if port["protocol"] not in PROTOCOLS:
        yield unsupported(f"{field}.protocol", port["protocol"], PROTOCOLS)
    target = port.get("targetPort")
    if isinstance(target, int):
        for complaint in port_number(target):
            yield invalid(f"{field}.targetPort", target, complaint)


def _cluster_address(spec: Object, old: Object | None) -> Iterator[FieldError]:
    before = dig(old, "spec", "clusterIP") if old is not None else None
    after = spec.get("clusterIP")
    same_type = old is not None and old["spec"].get("type") == spec["type"]
    if before and same_type and after != before:
        yield invalid("spec.clusterIPs[0]", [after] if after else None, "may not change once set")


def ingress(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of an Ingress."""
    del old
    errors = metadata(new, namespaced=True)
    spec = new.get("spec") or EMPTY
    if not spec.get("rules") and not spec.get("defaultBackend"):
        detail = "either `defaultBackend` or `rules` must be specified"
        errors.append(invalid("spec", spec.get("rules"), detail))
    if spec.get("defaultBackend"):
        errors += _backend(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(spec.get("rules") or ()):
        errors += _ingress_rule(rule, f"spec.rules[{index}]")
    if spec.get("ingressClassName"):
        errors += complain("spec.ingressClassName", spec["ingressClassName"], subdomain)
    return errors


def _ingress_rule(rule: Object, field: str) -> Iterator[FieldError]:
    host = rule.get("host") or ""
    if host:
        yield from complain(f"{field}.host", host.removeprefix("*."), subdomain)
    if rule.get("http") is None:
        return
    paths = rule["http"].get("paths") or ()
    if not paths:
        yield required(f"{field}.http.paths")
    for index, path in enumerate(paths):
        yield from _ingress_path(path, f"{field}.http.paths[{index}]")


def _ingress_path(path: Object, field: str) -> Iterator[FieldError]:
    kind, text = path.get("pathType"), path.get("path") or ""
    if kind is None:
        yield required(f"{field}.pathType", "pathType must be specified")
        return
    if kind not in PATH_TYPES:
        yield unsupported(f"{field}.pathType", kind, PATH_TYPES)
    elif (text or kind != "ImplementationSpecific") and not text.startswith("/"):
        yield invalid(f"{field}.path", text, "must be an absolute path")
    elif kind != "ImplementationSpecific":
        for part in UNSAFE_PATHS:
            if part in text:
                yield invalid(f"{field}.path", text, f"must not contain '{part}'")
    yield from _backend(path.get("backend") or EMPTY, f"{field}.backend")


def _backend(backend: Object, field: str) -> Iterator[FieldError]:
    target = backend.get("service")
    if backend.get("resource") is not None:
        return
    if target is None:
        yield invalid(field, "", "resource or service backend is required")
        return
    if not target.get("name"):
        yield required(f"{field}.service.name")
    else:
        yield from complain(f"{field}.service.name", target["name"], service_name)
    yield from _backend_port(target.get("port") or EMPTY, field)


def _backend_port(port: Object, field: str) -> Iterator[FieldError]:
    if port.get("name") and port.get("number"):
        yield invalid(field, "", "cannot set both port name & port number")
    elif port.get("number"):
        for complaint in port_number(port["number"]):
            yield invalid(f"{field}.service.port.number", port["number"], complaint)
    elif not port.get("name"):
        yield required(field, "port name or number is required")


def ingress_class(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of an IngressClass."""
    errors = metadata(new, namespaced=False)
    controller = (new.get("spec") or EMPTY).get("controller", "")
    if not controller:
        errors.append(required("spec.controller"))
    if old is not None:
        errors += immutable("spec.controller", controller, dig(old, "spec", "controller"))
    return errors


def endpoint_slice(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of an EndpointSlice; loopback addresses are refused."""
    errors = metadata(new, namespaced=True)
    kind = new.get("addressType")
    if not kind:
        errors.append(required("addressType"))
    if old is not None and kind != old.get("addressType"):
        errors.append(invalid("addressType", kind, IMMUTABLE))
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        for place, address in enumerate(endpoint.get("addresses") or ()):
            errors += _endpoint_address(address, f"endpoints[{index}].addresses[{place}]")
    return errors


def _endpoint_address(address: str, field: str) -> Iterator[FieldError]:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        yield invalid(field, address, "must be a valid IP address")
        return
    for wrong, what in (
        (parsed.is_unspecified, f"may not be unspecified ({address})"),
        (parsed.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (parsed.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
    ):
        if wrong:
            yield invalid(field, address, what)


def lease(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a Lease."""
    del old
    errors = metadata(new, namespaced=True)
    spec = new.get("spec") or EMPTY
    for field, least in (("leaseDurationSeconds", 1), ("leaseTransitions", 0)):
        value = spec.get(field)
        if value is not None and value < least:
            detail = "must be greater than 0" if least else "must be greater than or equal to 0"
            errors.append(invalid(f"spec.{field}", value, detail))
    return errors


def autoscaler(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a HorizontalPodAutoscaler, as far as people make them."""
    del old
    errors = metadata(new, namespaced=True)
    spec = new.get("spec") or EMPTY
    most, least = spec.get("maxReplicas") or 0, spec.get("minReplicas") or 1
    if most < least:
        detail = "must be greater than or equal to `minReplicas`"
        errors.append(invalid("spec.maxReplicas", most, detail))
    if most == 0:
        errors.append(required("spec.maxReplicas"))
    return errors


def disruption_budget(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a PodDisruptionBudget."""
    del old
    errors = metadata(new, namespaced=True)
    spec = new.get("spec") or EMPTY
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and most is not None:
        detail = "minAvailable and maxUnavailable cannot be both set"
        errors.append(invalid("spec", spec, detail))
    for field, value in (("minAvailable", least), ("maxUnavailable", most)):
        errors += not_negative(f"spec.{field}", value)
    return errors


def config_map(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a ConfigMap or Secret."""
    errors = metadata(new, namespaced=True)
    for field in ("data", "binaryData"):
        for key in new.get(field) or ():
            errors += complain(f"{field}[{key}]", key, config_key)
    if old is not None and old.get("immutable"):
        for field in ("data", "binaryData"):
            if new.get(field) != old.get(field):
                errors.append(forbidden_field(field, "field is immutable when `immutable` is set"))
    return errors


def config_key(key: str) -> list[str]:
    """What is wrong with a key of a ConfigMap or Secret."""
    return [] if _CONFIG_KEY.fullmatch(key) else [_BAD_CONFIG_KEY]


def event(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of an Event: new ones say when, unless they carry the times of the older form."""
    errors = metadata(new, namespaced=True)
    if old is None and not new.get("eventTime") and not new.get("deprecatedFirstTimestamp"):
        errors.append(required("eventTime"))
    return errors


def namespace(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a Namespace."""
    del old
    return metadata(new, namespaced=False, rule=label_name)


def namespaced(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a kind in namespaces that has no rules but those of `metadata`."""
    del old
    return metadata(new, namespaced=True)


def cluster_wide(new: Object, old: Object | None) -> list[FieldError]:
    """Errors of a kind without namespaces that has no rules but those of `metadata`."""
    del old
    return metadata(new, namespaced=False)
