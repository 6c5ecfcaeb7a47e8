"""Data that were set aside: ``dayseye quarantine``."""

import time
from typing import Annotated, Any

import typer

from infra.commands.common import DatasetId, Json, Limit, Reason, actor, answer, catalogue
from infra.commands.tables import moment, table

app = typer.Typer()
quarantine = typer.Typer(no_args_is_help=True, help="Look after data that cannot be trusted.")
app.add_typer(quarantine, name="quarantine")


@quarantine.command("list")
def list_set_aside(
    context: typer.Context,
    beamline: Annotated[str | None, typer.Option(help="Of this beamline.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="What is incomplete or aborted, too.")
    ] = False,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List what is quarantined and waits for a person, the latest first."""
    from sqlalchemy.orm import Session

    from catalog import quarantine as kept

    states = kept.SET_ASIDE if every else kept.SET_ASIDE[:1]
    with catalogue(context.obj) as engine, Session(engine) as session:
        found = kept.set_aside(session, beamline=beamline, states=states, limit=limit)
    answer(as_json, found, _table)


@quarantine.command()
def recheck(
    context: typer.Context,
    dataset: DatasetId,
    reason: Annotated[str, typer.Option(help="Why; it stays in the history.")] = "",
    wait: Annotated[float, typer.Option(help="So many seconds for the answer.", min=0)] = 30.0,
) -> None:
    """Look at the files of a dataset once more, and let it go on if they are whole now."""
    from sqlalchemy.orm import Session

    from catalog import quarantine as kept
    from catalog.models import Dataset
    from infra.cli_actions import find

    with catalogue(context.obj) as engine:
        with Session(engine) as session, session.begin():
            found = kept.recheck(session, find(session, dataset), actor=actor(), reason=reason)
            id, since = found.id, found.state_at
        deadline = time.monotonic() + wait
        while True:
            with Session(engine) as session:
                now = session.get_one(Dataset, id)
            if now.state_at != since or time.monotonic() > deadline:
                break
            time.sleep(0.2)  # another process looks, and says so by the state
    if now.state_at == since:
        typer.echo(f"{now.name} was not looked at within {wait:g} s; the trigger still will.")
        raise typer.Exit(1)
    typer.echo(f"{now.name} is {now.state}{': ' + now.state_reason if now.state_reason else ''}")


@quarantine.command()
def release(context: typer.Context, dataset: DatasetId, reason: Reason) -> None:
    """Let a quarantined dataset go on as it is."""
    _decide(context, dataset, reason, "release")


@quarantine.command()
def put(context: typer.Context, dataset: DatasetId, reason: Reason) -> None:
    """Set a dataset aside that is not to be trusted; what was made of it stays."""
    _decide(context, dataset, reason, "put")


def _decide(context: typer.Context, named: str, reason: str, what: str) -> None:
    from sqlalchemy.orm import Session

    from catalog import quarantine as kept
    from infra.cli_actions import find

    decide = {"release": kept.release, "put": kept.put}[what]
    with catalogue(context.obj) as engine, Session(engine) as session, session.begin():
        found = decide(session, find(session, named), actor=actor(), reason=reason)
        typer.echo(f"{found.name} is {found.state}.")


def _table(found: Any) -> Any:
    rows = [
        (str(each.id), each.name, each.beamline, each.state, moment(each.since), each.reason or "")
        for each in found
    ]
    return table(("id", "name", "beamline", "state", "since", "why"), rows)
