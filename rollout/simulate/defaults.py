"""Defaults that the real API server fills in, for the kinds that a release touches.

Each function takes an object that was decoded (unknown and empty fields are gone) and gives a new
one; parts that already have all defaults are shared with the old.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

from rollout.resources.writes import Object
from rollout.simulate.objects import EMPTY, Json, dig, put

DEFAULT_CLIENT_AFFINITY_SECONDS: Final = 10800
NOT_READY: Final = "node.kubernetes.io/not-ready"
CONFIG_FILE_MODE: Final = 420  # 0644, as the API writes it

_POD_SPEC: Final[Json] = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER: Final[Json] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE: Final[Json] = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_ROLLING_UPDATE: Final[Json] = {"maxUnavailable": "25%", "maxSurge": "25%"}
_EXTERNAL: Final = ("NodePort", "LoadBalancer")


def deployment(obj: Object) -> Json:
    """A Deployment with its defaults."""
    spec = _filled(
        obj.get("spec") or EMPTY,
        {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
    )
    strategy = _filled(spec.get("strategy") or EMPTY, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = _filled(strategy.get("rollingUpdate") or EMPTY, _ROLLING_UPDATE)
    spec["strategy"] = strategy
    spec["template"] = pod_template(spec.get("template") or EMPTY)
    return {**obj, "spec": spec}


def replica_set(obj: Object) -> Json:
    """A ReplicaSet with its defaults; labels come from the template when there are none."""
    spec = _filled(obj.get("spec") or EMPTY, {"replicas": 1})
    spec["template"] = pod_template(spec.get("template") or EMPTY)
    labels = (spec["template"].get("metadata") or EMPTY).get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj = put(obj, ("metadata", "labels"), labels)
    return {**obj, "spec": spec}


def pod(obj: Object) -> Json:
    """A Pod with its defaults, and those of the admission plugins that every cluster runs."""
    spec = pod_spec(obj.get("spec") or EMPTY)
    spec.setdefault("enableServiceLinks", True)
    spec["containers"] = [_with_requests(container) for container in spec.get("containers", ())]
    return {**obj, "spec": spec}


def pod_template(template: Object) -> Json:
    """A pod template with its defaults."""
    return {
        **template,
        "metadata": template.get("metadata") or {},
        "spec": pod_spec(template.get("spec") or EMPTY),
    }


def pod_spec(spec: Object) -> Json:
    """A pod spec with its defaults."""
    filled = _filled(spec, _POD_SPEC)
    for field in ("containers", "initContainers"):
        if field in filled:
            filled[field] = [_container(container) for container in filled[field] or ()]
    if "volumes" in filled:
        filled["volumes"] = [_volume(volume) for volume in filled["volumes"] or ()]
    account = filled.get("serviceAccountName") or filled.get("serviceAccount")
    if account:
        filled["serviceAccountName"] = filled["serviceAccount"] = account
    return filled


def _container(container: Object) -> Json:
    filled = _filled(container, _CONTAINER)
    if not filled.get("imagePullPolicy"):
        filled["imagePullPolicy"] = _pull_policy(str(filled.get("image", "")))
    if "ports" in filled:
        filled["ports"] = [_filled(port, {"protocol": "TCP"}) for port in filled["ports"] or ()]
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if filled.get(probe):
            filled[probe] = _probe(filled[probe])
    if any("valueFrom" in variable for variable in filled.get("env") or ()):
        filled["env"] = [_variable(variable) for variable in filled["env"]]
    return filled


def _pull_policy(image: str) -> str:
    last = image.rsplit("/", maxsplit=1)[-1].partition("@")[0]
    tagless = ":" not in last and "@" not in image
    return "Always" if tagless or last.endswith(":latest") else "IfNotPresent"


def _probe(probe: Object) -> Json:
    filled = _filled(probe, _PROBE)
    if filled.get("httpGet"):
        filled["httpGet"] = _filled(filled["httpGet"], {"path": "/", "scheme": "HTTP"})
    if filled.get("grpc"):
        filled["grpc"] = {"service": "", **filled["grpc"]}
    return filled


def _variable(variable: Object) -> Object:
    source = (variable.get("valueFrom") or EMPTY).get("fieldRef")
    if not source or source.get("apiVersion"):
        return variable
    return put(variable, ("valueFrom", "fieldRef", "apiVersion"), "v1")


def _volume(volume: Object) -> Json:
    filled = dict(volume)
    for kind in ("configMap", "secret", "downwardAPI", "projected"):
        if kind in filled:
            filled[kind] = _filled(filled[kind] or EMPTY, {"defaultMode": CONFIG_FILE_MODE})
    if "hostPath" in filled:
        filled["hostPath"] = {"type": "", **filled["hostPath"]}
    if len(filled) == 1:
        filled["emptyDir"] = {}
    return filled


def _with_requests(container: Object) -> Object:
    limits = (container.get("resources") or EMPTY).get("limits")
    if not limits:
        return container
    requests = {**limits, **(container["resources"].get("requests") or {})}
    return put(container, ("resources", "requests"), requests)


def service(obj: Object) -> Json:
    """A Service with its defaults, but for its addresses: those are allocated."""
    spec = _filled(obj.get("spec") or EMPTY, {"sessionAffinity": "None", "type": "ClusterIP"})
    if "ports" in spec:
        spec["ports"] = [_service_port(port) for port in spec["ports"] or ()]
    if spec["type"] in _EXTERNAL:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    _session_affinity(spec)
    return {**obj, "spec": spec}


def _service_port(port: Object) -> Json:
    filled = _filled(port, {"protocol": "TCP"})
    if filled.get("targetPort") in (None, 0, "") and "port" in filled:
        filled["targetPort"] = filled["port"]
    return filled


def _session_affinity(spec: Json) -> None:
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif not spec.get("sessionAffinityConfig"):
        seconds = {"timeoutSeconds": DEFAULT_CLIENT_AFFINITY_SECONDS}
        spec["sessionAffinityConfig"] = {"clientIP": seconds}


def namespace(obj: Object) -> Json:
    """A Namespace with its label and its finalizer."""
    name = obj["metadata"].get("name", "")
    labels = {**(obj["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": name}
    spec = obj.get("spec") or {}
    if "finalizers" not in spec and not obj["metadata"].get("deletionTimestamp"):
        spec = {**spec, "finalizers": ["kubernetes"]}
    return {**put(obj, ("metadata", "labels"), labels), "spec": spec}


def secret(obj: Object) -> Json:
    """A Secret with its type, and with `stringData` where it is kept, in `data`."""
    filled = _filled(obj, {"type": "Opaque"})
    given = filled.pop("stringData", None)
    if given:
        coded = {key: base64.b64encode(text.encode()).decode() for key, text in given.items()}
        filled["data"] = {**(filled.get("data") or {}), **coded}
    return filled


def node(obj: Object) -> Json:
    """A Node that nobody has called ready yet takes no pods, unless it says so itself."""
    if obj["metadata"].get("resourceVersion"):
        return dict(obj)
    taints = dig(obj, "spec", "taints") or []
    if any(taint.get("key") == NOT_READY for taint in taints):
        return dict(obj)
    return put(obj, ("spec", "taints"), [*taints, {"key": NOT_READY, "effect": "NoSchedule"}])


def autoscaler(obj: Object) -> Json:
    """Defaults of a HorizontalPodAutoscaler: 80 % of CPU, and at least one replica."""
    spec = _filled(obj.get("spec") or {}, {"minReplicas": 1})
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return {**obj, "spec": spec}


def network_policy(obj: Object) -> Json:
    """A NetworkPolicy with the directions that its rules name, and TCP for each port."""
    spec = _filled(obj.get("spec") or {}, {"podSelector": {}})
    directions = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    spec.setdefault("policyTypes", directions)
    for field in ("ingress", "egress"):
        if spec.get(field) is not None:
            spec[field] = [_open(rule) for rule in spec[field]]
    return {**obj, "spec": spec}


def _open(rule: Object) -> Object:
    ports = [{"protocol": "TCP", **port} for port in rule.get("ports") or ()]
    return {**rule, "ports": ports} if ports else rule


def endpoint_slice(obj: Object) -> Json:
    """An EndpointSlice with a name and a protocol for each port."""
    ports = obj.get("ports")
    if ports is not None:
        ports = [{"name": "", "protocol": "TCP", **port} for port in ports]
    return {**obj, "ports": ports}


def custom_resource_definition(obj: Object) -> Json:
    """A CRD with the names and the conversion that it may leave out."""
    spec = _filled(obj.get("spec") or EMPTY, {"conversion": {"strategy": "None"}})
    names = dict(spec.get("names") or EMPTY)
    kind = str(names.get("kind", ""))
    names.setdefault("listKind", f"{kind}List")
    names.setdefault("singular", kind.lower())
    spec["names"] = names
    return {**obj, "spec": spec}


def _filled(fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> Json:
    """A copy with defaults for what is missing, null or (as in Go) an empty string."""
    filled = dict(fields)
    for key, value in defaults.items():
        if filled.get(key) in (None, ""):
            filled[key] = value
    return filled
