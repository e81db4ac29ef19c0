"""What a policy may say, and how each refusal names the field and the fix."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from rollout.resources.access import BasicAuth, FromSecret, SecretRef, Tls
from rollout.resources.lint import documents
from rollout.resources.metric import LatencyMetric, Margin, RatioMetric, ValueMetric
from rollout.resources.policy import RolloutPolicy, RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider, ScrapeProvider

POLICIES: Final = Path(__file__).parents[2] / "policies"
PROMETHEUS: Final = {"kind": "Prometheus", "address": "http://prometheus:9090"}


HEAD: Final = {"apiVersion": "rollout.dev/v1alpha1", "kind": "RolloutPolicy"}


def read_policy(file: Path) -> RolloutPolicy:
    (found,) = documents(file.read_text(), file.name)
    assert found.problems == ()
    assert found.policy is not None
    return found.policy


def test_empty_policy_judges_errors_and_latency_from_pods() -> None:
    spec = RolloutPolicySpec()
    assert [metric.name for metric in spec.metrics] == ["errors", "latency"]
    assert isinstance(spec.provider, ScrapeProvider)


def test_json_form_is_camel_case_and_is_read_back() -> None:
    policy = RolloutPolicy.model_validate(
        {"spec": {"minimumRequests": 7, "provider": PROMETHEUS, "metrics": [value(max=3)]}}
    )
    document = policy.to_json()
    assert document["spec"]["minimumRequests"] == 7
    assert document["spec"]["noData"] == {"hold": "5m", "then": "Pause"}
    assert RolloutPolicy.model_validate(document) == policy


def value(**settings: Any) -> dict[str, Any]:
    return {"kind": "Value", "name": "queue", "query": "x", **settings}


def test_each_kind_of_metric_is_told_by_its_kind() -> None:
    spec = RolloutPolicySpec.model_validate(
        {
            "provider": PROMETHEUS,
            "metrics": [
                {"kind": "Ratio", "name": "a"},
                {"kind": "Latency", "name": "b", "bounds": [0.5]},
                value(min=1),
            ],
        }
    )
    assert [type(metric) for metric in spec.metrics] == [RatioMetric, LatencyMetric, ValueMetric]


def test_policy_is_frozen() -> None:
    with pytest.raises(ValidationError):
        RolloutPolicySpec().alpha = 0.5  # type: ignore[misc]


REFUSED: Final = [
    ({"alpha": 0}, "spec.alpha", "0 is out of bounds"),
    ({"alpha": 0.5}, "spec.alpha", "write 0.2 or less"),
    ({"interval": "10"}, "spec.interval", "write a number with a unit"),
    ({"interval": "50ms"}, "spec", "interval must be at least 100ms: raise it"),
    ({"metrics": []}, "spec.metrics", "have 1 items or more"),
    ({"metric": []}, "spec.metric", "did you mean metrics?"),
    ({"preset": "apache"}, "spec.preset", "these are: envoy, http, ingress-nginx"),
    ({"preset": "envoy"}, "spec", "preset envoy needs provider.kind Prometheus"),
    ({"preset": "ingress-nginx"}, "spec", "preset ingress-nginx needs provider.kind Prometheus"),
    ({"provider": {"kind": "Graphite"}}, "spec.provider", "these are: Prometheus, Scrape"),
    (
        {"provider": {**PROMETHEUS, "address": "prometheus"}},
        "spec.provider.address",
        "a URL such as",
    ),
    (
        {"provider": {**PROMETHEUS, "trackMatchers": [{"label": "a", "value": "${pod}"}]}},
        "spec.provider",
        "uses ${pod}, which does not exist: use ${namespace}",
    ),
    (
        {"noData": {"hold": "5m", "then": "Explode"}},
        "spec.noData.then",
        "Advance, Pause",
    ),
    ({"minimumRequests": 0}, "spec.minimumRequests", "write 1 or more"),
    (
        {"metrics": [{"kind": "Quantile", "name": "a"}]},
        "spec.metrics[0]",
        "Latency, Ratio",
    ),
    ({"metrics": [{"kind": "Ratio", "name": "A b"}]}, "spec.metrics[0].name", "lower-case letters"),
    (
        {"metrics": [{"kind": "Ratio", "name": "a"}, {"kind": "Ratio", "name": "a"}]},
        "spec.metrics[1].name",
        "metrics has 'a' twice: give each metric its own name",
    ),
    (
        {"metrics": [{"kind": "Ratio", "name": "a", "bad": {"metric": "bad_total"}}]},
        "spec.metrics[0]",
        "bad and total belong together: give both",
    ),
    (
        {"metrics": [{"kind": "Ratio", "name": "a", "margin": {"ratio": 0.5}}]},
        "spec.metrics[0].margin.ratio",
        "0.5 is out of bounds: write 1 or more",
    ),
    (
        {"metrics": [{"kind": "Latency", "name": "a", "bounds": [1, 1]}]},
        "spec.metrics[0]",
        "bounds must differ, not [1.0, 1.0]: drop the equal ones",
    ),
    (
        {"metrics": [{"kind": "Latency", "name": "a", "bounds": []}]},
        "spec.metrics[0].bounds",
        "have 1 items or more",
    ),
    (
        {
            "metrics": [
                {
                    "kind": "Latency",
                    "name": "a",
                    "histogram": {
                        "metric": "took",
                        "matchers": [{"label": "path", "op": "=~", "value": "(/x"}],
                    },
                }
            ]
        },
        "spec.metrics[0].histogram.matchers[0]",
        "value '(/x' of label path is no regular expression",
    ),
    (
        {"metrics": [value(max=1)]},
        "spec",
        "metric queue is of kind Value and needs provider.kind Prometheus",
    ),
    (
        {"provider": PROMETHEUS, "metrics": [value()]},
        "spec.metrics[0]",
        "set max, min or both: without a limit nothing can fail",
    ),
    (
        {"provider": PROMETHEUS, "metrics": [value(min=2, max=1)]},
        "spec.metrics[0]",
        "min 2.0 exceeds max 1.0: swap them",
    ),
    (
        {"provider": PROMETHEUS, "metrics": [value(max=1, failures={"count": 6, "of": 5})]},
        "spec.metrics[0].failures",
        "count 6 exceeds of 5: lower count or raise of",
    ),
    (
        {"provider": PROMETHEUS, "metrics": [value(max=1, query="sum(x{a='${pod}'})")]},
        "spec.metrics[0]",
        "query uses ${pod}, which does not exist: use ${namespace}",
    ),
]


@pytest.mark.parametrize(("spec", "field", "fix"), REFUSED)
def test_wrong_policy_is_refused_with_field_and_fix(
    spec: dict[str, Any], field: str, fix: str
) -> None:
    (found,) = documents(yaml.safe_dump({**HEAD, "spec": spec}), "mine.yaml")
    said = "\n".join(map(str, found.problems))
    assert f": {field}: " in said
    assert fix in said
    assert said.startswith("mine.yaml:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "mine.yaml:1: expected the node content"),
        ("- a", "begin with apiVersion, kind and spec"),
        ("", "there is nothing in it"),
        ("kind: Rollout", "kind"),
        ("apiVersion: rollout.dev/v2", "apiVersion"),
    ],
)
def test_file_that_is_no_policy_is_refused(text: str, said: str) -> None:
    (found,) = documents(text, "mine.yaml")
    assert said in "\n".join(map(str, found.problems))
    assert found.policy is None


def unexplained(model: type[BaseModel]) -> list[str]:
    return [
        f"{model.__name__}.{name}" for name, f in model.model_fields.items() if not f.description
    ]


@pytest.mark.parametrize(
    "model",
    [
        RolloutPolicySpec,
        RatioMetric,
        LatencyMetric,
        ValueMetric,
        Margin,
        BasicAuth,
        FromSecret,
        PrometheusProvider,
        ScrapeProvider,
        SecretRef,
        Tls,
    ],
)
def test_each_field_explains_itself(model: type[BaseModel]) -> None:
    assert unexplained(model) == []


# --- ready policies


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_ready_policy_is_valid_and_named_as_its_file(file: Path) -> None:
    policy = read_policy(file)
    assert policy.metadata.name == file.stem


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_ready_policy_leaves_nothing_to_defaults_and_explains_itself(file: Path) -> None:
    policy = read_policy(file)
    assert set(yaml.safe_load(file.read_text())["spec"]) == set(policy.spec.to_json())
    assert uncommented(file.read_text()) == []


def uncommented(text: str) -> list[str]:
    """Name the lines of a policy's spec that no comment explains.

    A comment explains the key that it stands on or directly above; above a block without blocks
    in it, such as a margin, all of it.
    """
    document = yaml.compose(text)
    assert isinstance(document, yaml.MappingNode)
    spec = next(value for key, value in document.value if key.value == "spec")
    lines = ["", *text.splitlines()]
    return [f"{number}: {lines[number].strip()}" for number in _bare(spec, lines, flat=False)]


def _bare(block: yaml.MappingNode, lines: list[str], *, flat: bool) -> Iterator[int]:
    for key, value in block.value:
        number = key.start_mark.line + 1
        if not flat and not _commented(lines, number):
            yield number
        inner = [value] if isinstance(value, yaml.MappingNode) else value.value
        for part in inner:
            if isinstance(part, yaml.MappingNode):
                above = number if part is value else part.start_mark.line + 1
                yield from _bare(part, lines, flat=_commented(lines, above) and _is_flat(part))


def _commented(lines: list[str], number: int) -> bool:
    return " #" in lines[number] or lines[number - 1].lstrip().startswith("#")


def _is_flat(block: yaml.MappingNode) -> bool:
    return all(isinstance(value, yaml.ScalarNode) for _, value in block.value)


@pytest.mark.parametrize(
    ("comment", "line"),
    [
        ("      # A Fail takes the release back.\n", "onFail: Rollback"),
        ("  # Look every 5 seconds.\n", "interval: 5s"),
        ("    # What users see first.\n", "- name: errors"),
        ("  # What is judged: both metrics gate the release.\n", "metrics:"),
    ],
)
def test_a_line_that_explains_itself_no_more_would_be_found(comment: str, line: str) -> None:
    text = (POLICIES / "strict.yaml").read_text()
    assert comment in text
    assert [found.partition(": ")[2] for found in uncommented(text.replace(comment, ""))] == [line]


def test_web_default_is_what_an_empty_policy_says() -> None:
    policy = read_policy(POLICIES / "web-default.yaml")
    assert policy.spec == RolloutPolicySpec()


def test_strict_is_nowhere_more_lenient_than_the_default() -> None:
    strict = read_policy(POLICIES / "strict.yaml").spec
    usual = RolloutPolicySpec()
    assert strict.minimum_requests > usual.minimum_requests
    assert strict.share_tolerance < usual.share_tolerance
    for own, default in zip(strict.metrics, usual.metrics, strict=True):
        assert isinstance(own, RatioMetric | LatencyMetric)
        assert isinstance(default, RatioMetric | LatencyMetric)
        assert own.margin.ratio < default.margin.ratio
        assert own.margin.absolute < default.margin.absolute
