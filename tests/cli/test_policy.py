"""`rollout policy`, as a process: files without a cluster, and the policies of a cluster."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from rollout.kube.client import HttpCluster
from rollout.report.exit_codes import ExitCode
from rollout.resources.policy import Preset, RolloutPolicySpec
from rollout.resources.writes import Create, Kind
from tests import forked
from tests.cli.test_cli import Run, cluster, run, server

__all__ = ["cluster", "run", "server"]
pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
READY = sorted(str(file) for file in (ROOT / "policies").glob("*.yaml"))
HEAD = "apiVersion: rollout.dev/v1alpha1\nkind: RolloutPolicy\nmetadata: {name: x}\n"
BAD = (
    f"{HEAD}spec:\n  intervall: 1s\n  provider: {{kind: Prometheus, address: http://p:9090}}\n"
    "  metrics: [{name: q, kind: Value, max: 1, query: sum(x}]\n"
)


def offline(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run it where there is no cluster at all."""
    environment = {"PATH": "/usr/bin:/bin", "KUBECONFIG": "/nowhere", "HOME": "/nowhere"}
    return forked.run(("policy", *arguments), environment, 30, text)


def test_the_ready_policies_have_nothing_wrong() -> None:
    assert len(READY) >= 2
    done = offline("lint", *READY)
    assert done.returncode == 0, done.stdout
    assert done.stdout == f"{len(READY)} files: nothing is wrong\n"
    assert offline("lint", READY[0]).stdout == "1 file: nothing is wrong\n"


def test_lint_lists_every_problem_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    done = offline("lint", str(file), *READY)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{file}:5: spec.intervall: there is no such field: did you mean interval?",
        f"{file}:7: spec.metrics[0].query: unclosed left parenthesis, at its end, after `sum(x`",
    ]


def test_lint_reads_stdin_and_speaks_json() -> None:
    done = offline("lint", "-", "-o", "json", text=BAD)
    assert [problem["line"] for problem in json.loads(done.stdout)] == [5, 7]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["lint"], ExitCode.USAGE),
        (["lint", "--all", "x.yaml"], ExitCode.USAGE),
        (["lint", "nowhere.yaml"], ExitCode.ERROR),
    ],
)
def test_lint_without_anything_to_read_says_so(arguments: list[str], code: ExitCode) -> None:
    done = offline(*arguments)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_the_policies_of_a_cluster_are_linted(cluster: HttpCluster, run: Run) -> None:
    assert "0 policies of namespace default: " in run("policy", "lint", "--all").stdout
    done = run("policy", "lint", "--all", "-n", "typo")
    assert done.returncode == ExitCode.ERROR
    assert done.stderr == "rollout: there is no namespace typo: name another with --namespace\n"
    body = yaml.safe_load(BAD)
    del body["spec"]["intervall"]  # the server drops what its schema does not know
    cluster.apply(Create(Kind.ROLLOUT_POLICY, "default", body))
    done = run("policy", "lint", "--all")
    assert done.returncode == 1
    assert "RolloutPolicy default/x: spec.metrics[0].query: unclosed" in done.stdout


def test_show_fills_in_all_defaults() -> None:
    shown = json.loads(offline("show", "-o", "json").stdout)
    assert shown["spec"] == RolloutPolicySpec().to_json()
    bad = shown["promql"]["errors"]["candidate"]["bad"]
    assert bad.startswith('http_requests_total{code=~"5..",namespace="shop",pod=~"web')


def test_show_tells_a_policy_in_words() -> None:
    said = offline("show", "policies/strict.yaml").stdout
    assert "alpha     0.02: 2 % of healthy releases may be rolled back by mistake" in said
    assert "metric latency (Latency): gates the release" in said
    assert "PromQL, stable:" in said


@pytest.mark.parametrize("preset", list(Preset), ids=str)
def test_show_words_the_queries_of_each_preset(preset: Preset, tmp_path: Path) -> None:
    import promql_parser  # noqa: PLC0415

    file = tmp_path / "p.yaml"
    provider = "{kind: Prometheus, address: http://p:9090}"
    file.write_text(f"{HEAD}spec: {{preset: {preset.value}, provider: {provider}}}\n")
    promql = json.loads(offline("show", str(file), "-o", "json").stdout)["promql"]
    for tracks in promql.values():
        assert set(tracks) == {"stable", "candidate"}
        assert tracks["stable"] != tracks["candidate"]
        for parts in tracks.values():
            for query in parts.values():
                promql_parser.parse(query)


def test_show_of_a_policy_that_is_wrong_lists_its_problems(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    done = offline("show", str(file))
    assert done.returncode == 1
    assert "did you mean interval?" in done.stderr
    assert "unclosed" in done.stderr


def test_show_of_what_is_not_there_names_what_is(cluster: HttpCluster, run: Run) -> None:
    body = yaml.safe_load(f"{HEAD}spec: {{}}\n")
    cluster.apply(Create(Kind.ROLLOUT_POLICY, "default", body))
    done = run("policy", "show", "y")
    assert done.returncode == 1
    assert "there is no RolloutPolicy y in namespace default (there are: x)" in done.stderr
    assert run("policy", "show", "x").stdout.startswith("policy default/x\n")
