"""Wrong values are refused by Helm, with field and reason, before anything is sent."""

import json

import pytest

from tests.charts.helm import AGENT, CHARTS, CONTROLLER, Helm, Release
from tests.charts.schema import FILE, drawn
from tests.charts.values import NAMES, readme
from tests.docs.test_commands import complaint
from tests.examples.trees import OVERLAYS

pytestmark = pytest.mark.controlplane
HELM = Helm()
FOLLOWS_NOTHING = ",".join(
    f"autoscaling.target{what}UtilizationPercentage=0" for what in ("CPU", "Memory")
)
PLAIN = ("--set", "secrets.externalSecret.enabled=false,secrets.googleApiKey=k")


def agent(*options: str) -> Release:
    return Release(AGENT, "prod", "shop", options)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("replicaCont=2", "additional properties 'replicaCont' not allowed"),
        ("replicaCount=two", "at '/replicaCount': got string, want integer"),
        ("image.tag=a/b", "at '/image/tag': 'a/b' does not match pattern"),
        ("image.pullPolicy=Sometimes", "at '/image/pullPolicy': value must be one of"),
        ("service.type=ExternalName", "at '/service/type': value must be one of"),
        ("service.port=0", "at '/service/port': minimum: got 0, want 1"),
        ("config.logLevel=LOUD", "at '/config/logLevel': value must be one of 'DEBUG', 'INFO'"),
        ("config.extra.lower=x", "at '/config/extra': additional properties 'lower' not"),
        ("networkPolicy.database.port=0", "at '/networkPolicy/database/port': minimum: got 0"),
        ("networkPolicy.database.cidrs[0]=here", "at '/networkPolicy/database/cidrs/0': 'here'"),
        ("redis.architecture=replication", "at '/redis/architecture': value must be 'standalone'"),
        ("resources.limits.memory=much", "at '/resources/limits/memory'"),
        ("podDisruptionBudget.maxUnavailable=0", "at '/podDisruptionBudget/maxUnavailable'"),
        ("rollout.trigger=Always", "at '/rollout/trigger': value must be one of 'Template'"),
        (
            "rollout.strategy.canary.steps[0].weigth=5",
            "at '/rollout/strategy/canary/steps/0': additional properties 'weigth' not allowed",
        ),
        ("rollout.policy.metrics[0].kind=Guess", "at '/rollout/policy/metrics/0/kind'"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_field_and_reason(said: str, reason: str) -> None:
    assert reason in HELM.refusal(agent("--set", said))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "secrets.googleApiKey=k",
            "sentryDsn (a plain Secret) and secrets.externalSecret.enabled are set, and two must",
        ),
        (
            "secrets.existingSecret=k,secrets.externalSecret.enabled=false,secrets.sealed.SENTRY_DSN=x",
            "secrets.existingSecret and secrets.sealed are set",
        ),
        (
            "secrets.externalSecret.enabled=false",
            "secrets: nothing says where the keys come from; set secrets.externalSecret.enabled",
        ),
        ("image.tag=latest", "image.tag: latest names no version, so no release could tell it"),
        ("redis.host=mine", 'redis.host: "mine" is set while redis.enabled is true'),
        ("redis.auth.enabled=true", "redis.auth: enabled without a password; set"),
        ("redis.auth.password=x", "redis.auth.enabled: false, while redis.auth has a password"),
        (
            "redis.auth.enabled=true,redis.auth.password=x,redis.auth.existingSecret=y",
            "redis.auth: password and existingSecret are both set; keep one",
        ),
        (
            "autoscaling.minReplicas=30",
            "autoscaling.minReplicas: 30 is more than autoscaling.maxReplicas, which is 20",
        ),
        (
            FOLLOWS_NOTHING,
            "autoscaling: follows nothing; set targetCPUUtilizationPercentage",
        ),
        (
            "config.extra.LOG_LEVEL=INFO",
            "config.extra.LOG_LEVEL: the chart sets this variable itself; use its own value",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_the_fix(said: str, reason: str) -> None:
    assert reason in HELM.refusal(agent("--set", said))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("replicaCount=0", "at '/replicaCount': minimum: got 0, want 1"),
        ("image.tag=latest", "image.tag: latest names no version, so pods of one Deployment could"),
        ("watchNamespace=Shop", "at '/watchNamespace': 'Shop' does not match pattern"),
        ("logLevel=loud", "at '/logLevel': value must be one of"),
        ("crds.keeep=false", "at '/crds': additional properties 'keeep' not allowed"),
        ("extraArgs[0]=loud", "at '/extraArgs/0': 'loud' does not match pattern"),
    ],
)
def test_the_controllers_values_are_refused_likewise(said: str, reason: str) -> None:
    assert reason in HELM.refusal(Release(CONTROLLER, "x", "shop", ("--set", said)))


def test_what_a_rollout_may_be_is_what_its_kind_says() -> None:
    found = json.loads(FILE.read_text())["$defs"]
    assert {name: found[name] for name in drawn()} == drawn(), "python -m tests.charts.schema"


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_lists_every_value(name: str) -> None:
    chart = CHARTS / name
    assert (chart / "README.md").read_text() == readme(chart), "python -m tests.charts.values"


@pytest.mark.parametrize("name", NAMES)
def test_lint_has_nothing_to_say(name: str) -> None:
    files = [CHARTS / name / f"values-{one}.yaml" for one in OVERLAYS if name != "rollout"]
    for options in ((), *(("-f", str(file)) for file in files)):
        said = HELM.do("lint", "--strict", str(CHARTS / name), *options)
        assert "0 chart(s) failed" in said
        assert "[WARNING]" not in said


@pytest.mark.parametrize("name", NAMES)
def test_a_package_has_all_that_the_folder_has(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp(name)
    HELM.do("package", str(CHARTS / name), "--destination", str(folder))
    (package,) = folder.glob("*.tgz")
    assert HELM.template(Release(package, "x", "shop")) == HELM.template(
        Release(CHARTS / name, "x", "shop")
    )


def deployment(*options: str) -> dict[str, object]:
    (found,) = (
        body
        for body in HELM.template(agent(*options))
        if body["kind"] == "Deployment" and body["metadata"]["name"] == "prod-gemini-agent"
    )
    spec = found["spec"]
    assert isinstance(spec, dict)
    return spec


def test_the_replicas_are_said_only_where_no_autoscaler_has_them() -> None:
    assert "replicas" not in deployment()
    assert deployment("--set", "autoscaling.enabled=false,replicaCount=4")["replicas"] == 4


def test_a_newer_chart_alone_changes_no_pod() -> None:
    """Else the update of a chart would be a release of the service."""
    assert "helm.sh/chart" not in str(deployment()["template"])
    assert "managed-by" not in str(deployment()["template"])


def test_blue_green_takes_the_place_of_canary() -> None:
    tree = HELM.template(
        agent("--set-json", 'rollout.strategy={"canary":null,"blueGreen":{"bake":"1m"}}')
    )
    (rollout,) = (body for body in tree if body["kind"] == "Rollout")
    assert rollout["spec"]["strategy"] == {"blueGreen": {"bake": "1m"}}


@pytest.mark.parametrize("options", [(), PLAIN, ("--set", "rollout.trigger=Command")])
def test_the_notes_name_commands_that_there_are(options: tuple[str, ...]) -> None:
    said = HELM.do("install", *agent(*options).words, "--dry-run=client")
    notes = said.partition("NOTES:")[2]
    assert "helm test prod -n shop" in notes
    check_commands(notes)
    assert ("Helm's own record" in notes) == (options == PLAIN)


def test_the_controllers_notes_name_commands_that_there_are() -> None:
    release = Release(CONTROLLER, "x", "shop", ("--set", "watchNamespace=shop"))
    said = HELM.do("install", *release.words, "--dry-run=client")
    check_commands(said.partition("NOTES:")[2])


def check_commands(notes: str) -> None:
    lines = [line.strip() for line in notes.splitlines()]
    ours = [line for line in lines if line.startswith("rollout ")]
    assert len(ours) >= 1, notes
    assert [(line, complaint(line)) for line in ours if complaint(line)] == []
