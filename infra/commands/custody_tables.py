"""What the commands about copies, verification and purging show."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table

from catalog.custody.views import Archived, Custody, Purgeable, Purged, Verified
from infra.commands.tables import empty_table


def archived(views: Sequence[Archived]) -> Table:
    """Show what was copied."""
    table = empty_table("dataset", "copy at", "state", "files", "copied now", "size")
    for view in views:
        table.add_row(
            view.name, view.place, view.state, str(view.files), str(view.copied), size(view.bytes)
        )
    return table


def verified(views: Sequence[Verified]) -> Group:
    """Show what is damaged, and how much was read."""
    table = empty_table("dataset", "where", "file", "what is wrong", style="red")
    for view in views:
        for each in view.findings:
            table.add_row(view.name, each.where, each.path, each.problem)
    files, read = sum(view.files for view in views), sum(view.bytes for view in views)
    bad = sum(len(view.findings) for view in views)
    said = f"{len(views)} datasets, {files} files, {size(read)} hashed; {bad} damaged."
    return Group(*([table] if bad else []), said)


def purgeables(views: Sequence[Purgeable]) -> Group:
    """Show what a purge would remove, and what it would leave."""
    table = empty_table("dataset", "kind", "files", "size", "may go", "why")
    for view in views:
        may = "yes" if view.allowed else "no"
        table.add_row(
            f"{view.name}\n{view.dataset_id}",
            view.kind,
            str(view.files),
            size(view.bytes),
            may,
            view.reason,
        )
    going = [view for view in views if view.allowed]
    freed = size(sum(view.bytes for view in going))
    said = f"{len(going)} datasets would free {freed}. Nothing was removed: --yes does it."
    return Group(table, said)


def purged(views: Sequence[Purged]) -> Table:
    """Show what was removed."""
    table = empty_table("dataset", "files removed", "size", "left")
    for view in views:
        table.add_row(view.name, str(view.removed), size(view.bytes), "\n".join(view.left))
    return table


def kept(view: Custody) -> Group:
    """Show a dataset's copies and holds."""
    copies = empty_table("copy at", "state", "files", "size", "verified", "keep until", "note")
    for each in view.copies:
        copies.add_row(
            each.place,
            each.state,
            str(each.files),
            size(each.bytes),
            f"{each.verified_at:%Y-%m-%d %H:%M}" if each.verified_at else "-",
            f"{each.retention_until:%Y-%m-%d}" if each.retention_until else "for ever",
            each.note or "",
        )
    holds = empty_table("held by", "since", "why", "released")
    for each in view.holds:
        released = f"{each.released_at:%Y-%m-%d} by {each.released_by}" if each.released_at else ""
        holds.add_row(each.actor, f"{each.created_at:%Y-%m-%d %H:%M}", each.reason, released)
    gone = [f"Purged at {view.purged_at:%Y-%m-%d %H:%M} UTC."] if view.purged_at else []
    return Group(*gone, copies, *([holds] if view.holds else []))


def size(count: float) -> str:
    """Write a number of bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
