"""Holding a beamline's reductions back: ``dayseye pause`` and ``dayseye resume``."""

from typing import Annotated

import typer

from infra.commands.common import Reason, actor, catalogue

app = typer.Typer()
Beamline = Annotated[str, typer.Argument(metavar="BEAMLINE", help="Id of the beamline.")]


@app.command()
def pause(context: typer.Context, beamline: Beamline, reason: Reason) -> None:
    """Register what lands at a beamline, and reduce nothing of it until it is resumed."""
    from sqlalchemy.orm import Session

    from catalog import pauses

    with catalogue(context.obj) as engine, Session(engine) as session, session.begin():
        if pauses.pause(session, beamline, actor(), reason):
            typer.echo(f"{beamline} is paused; `dayseye resume {beamline}` lets it go on.")
        else:
            typer.echo(f"{beamline} was paused already.")


@app.command()
def resume(context: typer.Context, beamline: Beamline) -> None:
    """Reduce what has waited at a beamline, and what lands there from now on."""
    from sqlalchemy.orm import Session

    from catalog import pauses

    with catalogue(context.obj) as engine, Session(engine) as session, session.begin():
        waiting = sum(each.waiting for each in pauses.paused(session) if each.beamline == beamline)
        if pauses.resume(session, beamline):
            typer.echo(f"{beamline} goes on: {waiting} runs have waited.")
        else:
            typer.echo(f"{beamline} is not paused.")
