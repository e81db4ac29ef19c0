"""Commands about policies: lint and show."""

from pathlib import Path

import typer

from rollout.cli import completion
from rollout.cli.files import read
from rollout.cli.options import Globals, dump, for_programs, shared


def register(app: typer.Typer) -> None:
    """Add the commands."""
    policy = typer.Typer(help=POLICY, no_args_is_help=True, rich_markup_mode=None)
    policy.command("lint", help=LINT)(shared(lint))
    policy.command("show", help=SHOW)(shared(show))
    app.add_typer(policy, name="policy")


POLICY = """Look at policies before a release rests on them.

Examples:

\b
  rollout policy lint policies/*.yaml
  rollout policy show strict
"""
LINT = """Find every mistake in policies: fields, values, PromQL. Exits with 1 if there is one.

Files need no cluster.

Examples:

\b
  rollout policy lint policies/*.yaml
  rollout policy lint --all -n shop
"""
SHOW = """Show a policy with all defaults filled in.

The PromQL that is asked of each track is shown, too.

Without a name: what a Rollout gets that names no policy.

Examples:

\b
  rollout policy show
  rollout policy show policies/strict.yaml
  rollout policy show strict -n shop -o yaml
"""


def lint(
    context: typer.Context,
    files: list[Path] = typer.Argument(None, help="Files with RolloutPolicies; - for stdin"),
    all_: bool = typer.Option(False, "--all", help="All policies of the cluster's namespace"),
) -> None:
    """Find every mistake."""
    from rollout.commands.policies import lint_cluster, lint_text

    options: Globals = context.obj
    if bool(files) == all_:
        raise typer.BadParameter("give files, or --all for the policies of the cluster")
    if all_:
        cluster = options.cluster()
        space = options.space(cluster)
        count, problems = lint_cluster(cluster, space)
        what = f"{'policy' if count == 1 else 'policies'} of namespace {space}"
    else:
        texts = [(read(file), str(file)) for file in files]
        count, what = len(texts), "file" if len(texts) == 1 else "files"
        problems = [problem for text, name in texts for problem in lint_text(text, name)]
    if for_programs(options.output):
        dump([vars(problem) for problem in problems], options.output)
    else:
        print("\n".join(map(str, problems)) or f"{count} {what}: nothing is wrong")
    raise typer.Exit(1 if problems else 0)


def show(
    context: typer.Context,
    policy: str = typer.Argument(
        None, help="A RolloutPolicy's name, or a file", autocompletion=completion.policies
    ),
) -> None:
    """Show a policy in full."""
    from rollout.commands.policies import policy_in, policy_named
    from rollout.metrics.show import as_json, told
    from rollout.resources.policy import BUILT_IN, RolloutPolicySpec

    options: Globals = context.obj
    if policy is None:
        name, spec = f"{BUILT_IN} (built in)", RolloutPolicySpec()
    elif Path(policy).is_file():
        name, spec = policy, policy_in(read(Path(policy)), policy)
    else:
        cluster = options.cluster()
        space = options.space(cluster)
        name, spec = f"{space}/{policy}", policy_named(cluster, space, policy)
    if for_programs(options.output):
        dump(as_json(spec), options.output)
    else:
        print("\n".join((f"policy {name}", "", *told(spec))))
