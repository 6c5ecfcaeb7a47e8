"""What people tell: ``dayseye accept``, ``assign`` and ``sample``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from infra.commands.common import DatasetId, Json, Reason, actor, answer, catalogue
from infra.commands.tables import table

app = typer.Typer()
sample = typer.Typer(no_args_is_help=True, help="Correct what is known about samples.")
app.add_typer(sample, name="sample")


@app.command()
def accept(context: typer.Context, dataset: DatasetId, reason: Reason) -> None:
    """Take an incomplete, aborted or quarantined dataset as it is, and reduce what exists."""
    from catalog import quarantine
    from infra.cli_actions import find

    with catalogue(context.obj) as engine, _writing(engine) as session:
        id = find(session, dataset)
        found = quarantine.accept(session, id, actor=actor(), reason=reason)
        typer.echo(f"{found.name} is {found.state}.")


@app.command()
def assign(
    context: typer.Context,
    dataset: DatasetId,
    reason: Reason,
    proposal: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    visit: Annotated[str | None, typer.Option(help="Of which visit.")] = None,
    sample: Annotated[str | None, typer.Option(help="Of which sample.")] = None,
    as_json: Json = False,
) -> None:
    """Say to which proposal, visit and sample a dataset and its results belong."""
    from catalog import people
    from infra.cli_actions import find

    with catalogue(context.obj) as engine, _writing(engine) as session:
        found = people.assign(
            session,
            find(session, dataset),
            proposal=proposal,
            visit=visit,
            sample=sample,
            actor=actor(),
            reason=reason,
        )
    answer(as_json, found, _assigned)


@sample.command("set")
def set_sample(
    context: typer.Context,
    reason: Reason,
    name: Annotated[str | None, typer.Argument(help="The sample.")] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="key=value, of formula, density (g/cm³), thickness (mm), container, cell (a b c "
            "alpha beta gamma), sequence; key= takes a value away.",
        ),
    ] = None,
    proposal: Annotated[str | None, typer.Option(help="Whose sample.")] = None,
    new_name: Annotated[str | None, typer.Option(help="Its name from now on.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="Many samples: a table with the columns sample, proposal and fields."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Correct a sample, or many by a table; all of their data have the event."""
    from catalog import people

    if (name is None) == (csv is None):
        raise typer.BadParameter("Give the name of a sample, or --csv with a table of samples.")
    with catalogue(context.obj) as engine, _writing(engine) as session:
        if csv is not None:
            rows = people.rows_of_csv(_text(csv))
            found = people.correct_samples(session, rows, actor=actor(), reason=reason)
        else:
            change = people.correct_sample(
                session,
                name=name or "",
                proposal=proposal,
                fields=_pairs(fields or []),
                new_name=new_name,
                actor=actor(),
                reason=reason,
            )
            found = [change]
    answer(as_json, found, _changes)


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    for key, equals, value in pairs:
        if not equals or not key:
            raise typer.BadParameter(f"--set {key}{equals}{value} must look like key=value.")
    return {key: value for key, _, value in pairs}


def _text(file: Path) -> str:
    from catalog.errors import CatalogError

    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{file} cannot be read as a table in UTF-8: {error}") from None


def _writing(engine: Any) -> Any:
    from sqlalchemy.orm import sessionmaker

    return sessionmaker(engine).begin()


def _assigned(found: Any) -> Any:
    rows = [
        (what, found.before[what] or "not known", found.after[what] or "not known")
        for what in found.after
    ]
    return table(("of " + found.name, "before", "now"), rows)


def _changes(found: Any) -> Any:
    rows = [
        (each.name, each.proposal or "", what, _word(each.before.get(what)), _word(value))
        for each in found
        for what, value in (each.after or {"nothing new": None}).items()
    ]
    return table(("sample", "proposal", "what", "before", "now"), rows)


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{each:g}" for each in value.values())
    return "" if value is None else str(value)
