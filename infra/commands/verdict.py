"""A person's verdict on a result: ``dayseye verdict``."""

from typing import Annotated, Any

import typer

from infra.commands.common import DatasetId, Json, actor, answer, catalogue
from infra.commands.tables import moment, table

app = typer.Typer()


@app.command()
def verdict(
    context: typer.Context,
    dataset: DatasetId,
    overrule: Annotated[
        str | None, typer.Argument(metavar="[ok|check|bad]", help="Your verdict.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it stays in the history.")] = "",
    as_json: Json = False,
) -> None:
    """Show the verdicts on a result, or overrule the one that holds."""
    from sqlalchemy.orm import Session

    from catalog import verdicts
    from catalog.access import EVERYTHING
    from catalog.states import Verdict
    from infra.cli_actions import find

    if overrule is not None and overrule not in list(Verdict):
        raise typer.BadParameter(f"{overrule!r} is not a verdict; give {', '.join(Verdict)}.")
    with catalogue(context.obj) as engine, Session(engine) as session, session.begin():
        result = verdicts.result_of(session, find(session, dataset))
        if overrule is not None:
            verdicts.overrule(
                session, EVERYTHING, result, Verdict(overrule), reason=reason, actor=actor()
            )
        found = verdicts.verdicts(session, result)
    answer(as_json, found, _table)


def _table(found: Any) -> Any:
    rows = [
        (
            moment(each.at),
            each.verdict,
            each.actor,
            each.rules_version or "",
            "; ".join(each.reasons),
        )
        for each in found
    ]
    return table(("at", "verdict", "by", "rules", "why"), rows)
