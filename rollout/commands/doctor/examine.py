"""All checks in their order: what makes the later ones pointless comes first."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from rollout.commands.again import find_rollout
from rollout.commands.doctor import credentials, installation, metrics, rights, service
from rollout.commands.doctor.finding import Finding, guarded, ok, problem, warning
from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError, NotFound, Unauthorized, Unreachable
from rollout.metrics.addresses import AddressMap
from rollout.metrics.credentials import Keys
from rollout.resources.objects import name_of
from rollout.resources.writes import Kind, Object

ACCESS: Final = "access"


@dataclass(frozen=True)
class Visit:
    """What is to be looked at, and from where."""

    namespace: str
    rollout: str | None = None
    as_controller: bool = False
    account: str = "rollout-system:rollout-controller"
    """Service account of the controller, as `namespace:name`."""
    lease: str = "rollout-controller"
    keys: Keys = field(default_factory=Keys)
    """Where credentials of a metrics provider come from."""
    addresses: AddressMap = field(default_factory=AddressMap.identity)

    @property
    def home(self) -> str:
        """The controller's namespace."""
        return self.account.partition(":")[0]


def examine(cluster: Cluster, visit: Visit, now: datetime) -> Iterator[Finding]:
    """Look at everything; gives findings as they come.

    Raises CommandRefusedError when the Rollout that is named is not there.
    """
    access = _access(cluster, visit.namespace)
    if access is not None:
        yield access
        if access.level == "problem":
            return
    yield from guarded("kinds", lambda: installation.kinds(cluster))
    yield from guarded(rights.PERSON, lambda: rights.of_person(cluster, visit.namespace))
    if visit.as_controller:
        yield from guarded(rights.CONTROLLER, lambda: _of_account(cluster, visit))
    homes = [visit.home, visit.namespace]
    yield from guarded(
        installation.ALIVE, lambda: installation.leader(cluster, homes, visit.lease, now)
    )
    yield from _rollouts(cluster, visit, now)


def _access(cluster: Cluster, namespace: str) -> Finding | None:
    try:
        cluster.list(Kind.ROLLOUT, namespace)
    except Unreachable as error:
        mend = "check the server in your kubeconfig, your network and VPN"
        return problem(ACCESS, f"the API server cannot be reached: {error}", mend)
    except Unauthorized as error:
        mend = "log in again: the credentials in your kubeconfig are not known"
        return problem(ACCESS, f"the API server does not know you: {error}", mend)
    except NotFound:
        return ok(ACCESS, "the API server answers")  # the kinds are looked at next
    except ClusterError as error:
        return warning(ACCESS, f"Rollouts cannot be listed: {error}", "see rights below")
    return ok(ACCESS, f"the API server answers, in namespace {namespace}")


def _of_account(cluster: Cluster, visit: Visit) -> Iterator[Finding]:
    try:
        secrets = tuple(credentials.wanted(cluster, visit.namespace))
    except ClusterError as error:
        secrets = ()
        said = f"the Secrets that policies name could not be looked for: {error}"
        mend = "look as somebody who may list rolloutpolicies, rollouts and releases"
        yield warning(rights.CONTROLLER, said, mend)
    yield from rights.of_account(cluster, visit.namespace, visit.account, visit.lease, secrets)


def _rollouts(cluster: Cluster, visit: Visit, now: datetime) -> Iterator[Finding]:
    try:
        found = cluster.list(Kind.ROLLOUT, visit.namespace).items
    except ClusterError:
        return  # said before, with its mend
    if visit.rollout is not None:
        found = (find_rollout(cluster, visit.namespace, visit.rollout),)
    if not found:
        mend = "`rollout init DEPLOYMENT` words one"
        yield warning("rollouts", f"there is no Rollout in namespace {visit.namespace}", mend)
    for rollout in found:
        name = name_of(rollout)
        yield from guarded(name, partial(_service, cluster, visit, rollout, now))


def _service(cluster: Cluster, visit: Visit, rollout: Object, now: datetime) -> Iterator[Finding]:
    objects = service.objects_of(cluster, visit.namespace, rollout)
    yield from service.steerable(objects)
    yield from service.owned(objects)
    yield from service.sized(objects)
    yield from service.drained(cluster, visit.namespace, objects)
    yield from metrics.measured(objects, visit.addresses, visit.keys, now)
