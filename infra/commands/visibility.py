"""Who else may see data: ``dayseye publish``, ``embargo`` and ``proprietary``."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from infra.commands.common import DatasetId, Json, Reason, actor, answer, catalogue
from infra.commands.tables import moment, table

app = typer.Typer()
WithResults = Annotated[bool, typer.Option("--with-results", help="Its results as well.")]


@app.command()
def publish(
    context: typer.Context,
    dataset: DatasetId,
    reason: Reason,
    with_results: WithResults = False,
    as_json: Json = False,
) -> None:
    """Make a dataset public; a result only if its verdict is ok."""
    _change(context, dataset, "public", reason, None, with_results, as_json)


@app.command()
def embargo(
    context: typer.Context,
    dataset: DatasetId,
    reason: Reason,
    until: Annotated[
        datetime | None, typer.Option(help="When it becomes public by itself (UTC); empty: never.")
    ] = None,
    with_results: WithResults = False,
    as_json: Json = False,
) -> None:
    """Keep a dataset for its proposal's team, until a date."""
    end = until.replace(tzinfo=UTC) if until else None
    _change(context, dataset, "embargoed", reason, end, with_results, as_json)


@app.command()
def proprietary(
    context: typer.Context,
    dataset: DatasetId,
    reason: Reason,
    with_results: WithResults = False,
    as_json: Json = False,
) -> None:
    """Mark a dataset as one that is never published."""
    _change(context, dataset, "proprietary", reason, None, with_results, as_json)


def _change(
    context: typer.Context,
    named: str,
    to: str,
    reason: str,
    until: datetime | None,
    with_results: bool,
    as_json: bool,
) -> None:
    from sqlalchemy.orm import Session

    from catalog.access import EVERYTHING, visibility
    from infra.cli_actions import find

    with catalogue(context.obj) as engine, Session(engine) as session, session.begin():
        changes = visibility.change(
            session,
            EVERYTHING,
            find(session, named),
            visibility.Visibility(to),
            reason=reason,
            until=until,
            actor=actor(),
            with_results=with_results,
        )
    answer(as_json, changes, _table)


def _table(changes: Any) -> Any:
    rows = [
        (str(each.dataset_id), each.visibility, moment(each.embargo_until), each.refused or "")
        for each in changes
    ]
    return table(("id", "visibility", "until", "refused"), rows)
