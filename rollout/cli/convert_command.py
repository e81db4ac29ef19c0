"""`rollout convert`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from rollout.cli.files import read
from rollout.cli.options import Globals, Output, dump

if TYPE_CHECKING:
    from rollout.convert.conversion import Conversion
    from rollout.convert.documents import Document
    from rollout.convert.draft import Draft
    from rollout.convert.ledger import Finding

HELP = """Convert manifests of Argo Rollouts and of Flagger. No cluster is needed.

Prints our objects as YAML, in the order to apply, and on stderr what has no equal and how to
move without downtime. With -o table or json: what became of every field.

Exits with 7 when something has no equal: the objects are printed all the same. With --only it
says nothing of that.

Examples:

\b
  rollout convert -f rollout.yaml -f analysis.yaml > converted.yaml
  rollout convert -f manifests/ -o table
  kustomize build overlays/production | rollout convert -f -
  rollout convert -f manifests/ --only Service/checkout | kubectl apply -f -
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("convert", help=HELP)(convert)


def convert(
    context: typer.Context,
    files: list[Path] = typer.Option(
        None, "--file", "-f", help="A file, a folder with all below it, or - for stdin"
    ),
    only: list[str] = typer.Option(
        None, "--only", help="Print some objects, as Deployment/web or all of a kind, as Deployment"
    ),
    output: Output = typer.Option(
        None, "--output", "-o", help="yaml: our objects; table, json: what became of every field"
    ),
) -> None:
    """Convert manifests."""
    from rollout.convert.conversion import convert as converted
    from rollout.convert.documents import documents
    from rollout.convert.ledger import Fate
    from rollout.report.exit_codes import ExitCode

    if not files:
        raise typer.BadParameter("name what is to be converted: -f FILE, -f FOLDER or -f -")
    given = _given(files)
    found_in: list[Document] = [
        one for name, text in _texts(files) for one in documents(text, name, given)
    ]
    found = converted(found_in)
    if not found.drafts and all(one.fate is Fate.NOT_NEEDED for one in found.findings):
        raise ValueError(
            f"{files[0]}: there is neither a Rollout of argoproj.io nor a Canary of flagger.app in "
            f"{len(found_in)} documents: name the files that have one"
        )
    _print(found, only, output or _said_before(context))
    partly = found.with_fate(Fate.NO_EQUAL) and not only
    raise typer.Exit(ExitCode.PARTLY if partly else ExitCode.SUCCEEDED)


def _given(files: Iterable[Path]) -> str:
    """Word the input for the commands that are printed; what came on stdin is to be filled in."""
    import shlex

    words = ("FILE" if str(file) == "-" else shlex.quote(str(file)) for file in files)
    return " ".join(f"-f {word}" for word in words)


def _said_before(context: typer.Context) -> Output:
    """Give what `-o` said before the command; objects as YAML where nothing did."""
    options: Globals = context.obj
    before = context.parent.params.get("output") if context.parent else None
    return options.output if before else Output.YAML


def _texts(files: Iterable[Path]) -> Iterable[tuple[str, str]]:
    for file in files:
        inside = [one for one in sorted(file.rglob("*")) if one.suffix in {".yaml", ".yml"}]
        if file.is_dir() and not inside:
            raise ValueError(f"{file}: there is no .yaml file below it: name another folder")
        for one in inside if file.is_dir() else [file]:
            yield str(one), read(one, "name a file, a folder, or - for stdin")


def _print(found: "Conversion", only: list[str] | None, output: Output) -> None:
    if output is Output.JSON:
        dump(_as_json(found), output)
        return
    if output is not Output.YAML:
        _table(found)
        return
    from rollout.convert.draft import text

    print(text(_chosen(found, only) if only else found.drafts), end="")
    if not only:
        _tell(found)


def _chosen(found: "Conversion", only: list[str]) -> "list[Draft]":
    """Choose objects by kind, or by kind and name."""
    names = {id(one): {one.kind, f"{one.kind}/{one.name}"} for one in found.drafts}
    for word in only:
        if not any(word in known for known in names.values()):
            there = ", ".join(f"{one.kind}/{one.name}" for one in found.drafts) or "none"
            raise typer.BadParameter(f"--only {word}: there is no such object (there are: {there})")
    return [one for one in found.drafts if names[id(one)] & set(only)]


def _as_json(found: "Conversion") -> dict[str, Any]:
    return {
        "objects": list(found.objects),
        "findings": [vars(one) for one in found.findings],
        "next": [
            {"object": name, "steps": [vars(one) for one in steps]} for name, steps in found.steps
        ],
    }


def _tell(found: "Conversion") -> None:
    """Say on stderr what has no equal, what is only near, and what to do next."""
    from rollout.convert.ledger import Fate

    for fate, title in ((Fate.NO_EQUAL, "no equal"), (Fate.ASSUMED, "near, not the same")):
        for one in found.with_fate(fate):
            typer.echo(f"{title}: {_sentence(one)}", err=True)
    for name, steps in found.steps:
        typer.echo(f"to move {name} without downtime, one after the other:", err=True)
        for step in steps:
            typer.echo(f"  # {step.why}\n  {step.command}", err=True)


def _sentence(one: "Finding") -> str:
    field = f" {one.field}" if one.field else ""
    return f"{one.object}{field}{_value(one.value)}: {one.what}"


def _value(value: Any) -> str:
    """Say a value in a few words; long ones are in the input."""
    if isinstance(value, str | int | float):
        text = str(value)
        return f" ({text})" if len(text) <= 60 and "\n" not in text else ""  # noqa: PLR2004
    return ""


def _table(found: "Conversion") -> None:

    from rollout.cli.tables import show, table

    drawn = table("OBJECT", "FIELD", "FATE", "VALUE", "MESSAGE")
    for one in found.findings:
        value = _value(one.value)[2:-1]
        row = (one.object, one.field or "all of it", str(one.fate), value, one.what)
        drawn.add_row(*row)
    show(drawn)
