"""Policy files read with a pencil."""

import pytest

from rollout.resources.lint import documents, from_cluster

HEAD = "apiVersion: rollout.dev/v1alpha1\nkind: RolloutPolicy\nmetadata: {name: x}\n"


def said(text: str) -> list[str]:
    return [str(problem) for one in documents(text, "p.yaml") for problem in one.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sepc: {}", "p.yaml:4: sepc: there is no such field: did you mean spec?"),
        (
            "spec:\n  intervall: 10s",
            "p.yaml:5: spec.intervall: there is no such field: did you mean interval?",
        ),
        (
            "spec:\n  warmup: soon",
            (
                "p.yaml:5: spec.warmup: 'soon' is not a duration: write a number with a unit, "
                "as in 1m30s (units: h, m, s, ms)"
            ),
        ),
        (
            "spec:\n  alpha: 0.1\n  alpha: 0.2",
            "p.yaml:6: spec.alpha: it stands here for the second time: drop one",
        ),
        (
            "spec:\n  metrics:\n    - name: errors\n      kind: Ratio\n      bounds: [1]",
            "p.yaml:8: spec.metrics[0].bounds: bounds is only for kind Latency: remove it",
        ),
        (
            "spec:\n  metrics:\n    - {name: a, kind: Ratio,\n       margin: {rate: 1}}",
            "p.yaml:7: spec.metrics[0].margin.rate: there is no such field: did you mean ratio?",
        ),
        (
            "spec:\n  metrics:\n    - {name: a, kind: Ratios}",
            "p.yaml:6: spec.metrics[0]: there is no kind 'Ratios': did you mean Ratio?",
        ),
        (
            "spec:\n  metrics:\n    - kind: Ratio",
            "p.yaml:6: spec.metrics[0].name: it needs a value: write it",
        ),
        (
            "spec:\n  zzz: 1\n",
            (
                "p.yaml:5: spec.zzz: there is no such field: these are: alpha, interval, metrics, "
                "minimumRequests, minimumRequestsToFail, noData, preset, provider, providerError, "
                "shareTolerance, warmup"
            ),
        ),
    ],
)
def test_a_problem_has_its_line_its_place_and_the_fix(text: str, problem: str) -> None:
    assert said(HEAD + text) == [problem]


def test_equal_names_are_told_beside_all_else() -> None:
    metrics = "  metrics:\n    - {name: v, kind: Ratio}\n    - {name: v, kind: Ratio}\n"
    twice = "spec.metrics[1].name: metrics has 'v' twice: give each metric its own name"
    assert said(f"{HEAD}spec:\n{metrics}") == [f"p.yaml:7: {twice}"]
    assert said(f"{HEAD}spec:\n  alpha: 3\n{metrics}") == [
        "p.yaml:5: spec.alpha: 3 is out of bounds: write 0.2 or less",
        f"p.yaml:8: {twice}",
    ]


def test_every_problem_is_told_in_the_order_of_the_file() -> None:
    text = f"{HEAD}spec:\n  alpha: 3\n  intervall: 1s\n  metrics:\n    - {{kind: Ratio}}\n"
    lines = [line.split(":")[1] for line in said(text)]
    assert lines == ["5", "6", "8"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "p.yaml:1: expected the node content"),
        ("", "p.yaml:1: there is nothing in it"),
        ("kind: Rollout", "p.yaml:1: Rollout is no RolloutPolicy: begin with apiVersion"),
        ("- 1", "p.yaml:1: list is no RolloutPolicy"),
    ],
)
def test_what_is_no_policy_is_said_to_be_none(text: str, problem: str) -> None:
    found = said(text)
    assert len(found) == 1
    assert found[0].startswith(problem)


OTHER = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"


def test_objects_beside_a_policy_are_passed_over() -> None:
    assert said(f"{OTHER}---\n{HEAD}spec: {{}}\n") == []
    assert len(said(f"{OTHER}---\n{HEAD}spec: {{alpha: 3}}\n")) == 1


def test_a_file_of_other_objects_alone_has_no_policy() -> None:
    (problem,) = said(f"{OTHER}---\n{OTHER}")
    assert problem == "p.yaml:1: there is no RolloutPolicy in it, only: Deployment"


def test_each_document_of_a_file_is_read() -> None:
    text = f"{HEAD}spec: {{}}\n---\n{HEAD}spec: {{alpha: 3}}\n"
    assert [line.split(":")[1] for line in said(text)] == ["9"]


def test_a_policy_of_the_cluster_has_a_name_and_no_line() -> None:
    raw = {
        "kind": "RolloutPolicy",
        "metadata": {"name": "strict", "namespace": "shop"},
        "spec": {"alpha": 3},
    }
    (problem,) = from_cluster(raw).problems
    assert str(problem).startswith("RolloutPolicy shop/strict: spec.alpha: ")
