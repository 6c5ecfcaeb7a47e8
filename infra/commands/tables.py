"""Tables of texts, as the commands print them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.table import Table

UNBROKEN = ("id", "at", "at (UTC)", "made", "expires", "taken", "asked")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Make a table; ids and times are never broken, and nothing is cut off."""
    made = empty_table(*columns)
    for row in rows:
        made.add_row(*row)
    return made


def empty_table(*columns: str, style: str = "") -> Table:
    """Make a table whose rows are still to come."""
    made = Table(box=None, pad_edge=False, header_style="dim", style=style)
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column in UNBROKEN)
    return made


def moment(at: datetime | None) -> str:
    """Return a time in this machine's zone, to the minute."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else ""
