"""Messages to people: ``dayseye notifications list`` and ``test``."""

from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from infra.commands.common import Json, Limit, catalogue, print_json
from infra.commands.tables import empty_table
from infra.settings import ConfigurationError, load_settings

app = typer.Typer()
notifications = typer.Typer(help="Messages to people.", no_args_is_help=True)
app.add_typer(notifications, name="notifications")


@notifications.command("list")
def list_(context: typer.Context, limit: Limit = 30, as_json: Json = False) -> None:
    """List the newest messages, and whether they were sent."""
    from sqlalchemy.orm import Session

    from catalog.notifications import newest

    with catalogue(context.obj) as engine, Session(engine) as session:
        found = newest(session, limit)
        if as_json:
            print_json([_plain(each) for each in found])
        else:
            Console().print(_table(found))


@notifications.command()
def test(context: typer.Context) -> None:
    """Send a test message through each channel, now and from here."""
    from datetime import UTC, datetime
    from uuid import uuid4

    from catalog.notifications import Group, Line
    from infra.notify import NotDelivered, channels

    settings = load_settings(context.obj)
    ways = channels(settings.notifications, settings.services.public_url or "dayseye")
    if not ways:
        raise ConfigurationError(
            "Nobody is told anything: set notifications.webhook or notifications.email_to."
        )
    line = Line(datetime.now(UTC), None, "This is a test: messages arrive here.")
    failed = False
    for way in ways:
        try:
            way.send(Group(uuid4(), "test", 1, (line,), ()))
            typer.echo(f"{way.name}: taken.")
        except NotDelivered as error:
            failed = True
            typer.echo(f"{way.name}: {error}.", err=True)
    if failed:
        raise typer.Exit(1)


def _plain(row: Any) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "beamline": row.beamline_id,
        "message": row.message,
        "at": row.at.isoformat(),
        "sent_at": row.sent_at.isoformat() if row.sent_at else None,
        "delivered": list(row.delivered),
        "tries": row.tries,
        "last_error": row.last_error,
    }


def _table(rows: Sequence[Any]) -> Table:
    table = empty_table("at (UTC)", "kind", "beamline", "message", "sent")
    for row in rows:
        sent = ", ".join(row.delivered) or "to nobody" if row.sent_at else row.last_error or "waits"
        at = f"{row.at:%Y-%m-%d %H:%M:%S}"
        table.add_row(at, row.kind, row.beamline_id or "", row.message, sent)
    return table
