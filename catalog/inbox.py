"""The inbox: what others report about data that have landed or are landing.

A report is a hint with details, kept once under its reporter's own key. The trigger takes those
that wait, and looks at the files that they name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.models import Inbox, uuid7

CHANNEL = "dayseye_inbox"
"""Whoever takes reports listens here."""
ENDED = ("finished", "aborted")
REPORTS_OF_A_PATH = 20


@dataclass(frozen=True)
class Reported:
    """What became of a report: whether it is new, and whether it said anything new."""

    id: UUID
    created: bool
    changed: bool


def report(
    session: Session,
    *,
    beamline: str,
    source: str,
    key: str,
    paths: Sequence[str],
    payload: Mapping[str, Any],
    actor: str,
) -> Reported:
    """Enter a report, or add what is new in it to the one that stands under its key.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    beamline : str
        Whose data.
    source, key : str
        The kind of reporter (``http``, ``bluesky``, ``epics``, ``kafka``), and its own name for
        what it reports.
    paths : sequence of str
        Absolute paths of the files or folders; they are added to those reported before.
    payload : mapping
        Any of ``stage`` (``started``, ``finished``, ``aborted``), ``reason``, ``uid``,
        ``proposal``, ``visit``, ``sample``, ``scan``, ``plan``, ``expected_frames``,
        ``started_at``, ``metadata``. What is given later wins, but what has ended stays ended, and
        None says nothing.
    actor : str
        Who reports.

    Raises
    ------
    NotFound
        There is no such beamline.
    """
    recipes.beamline_of(session, beamline)
    said = {name: value for name, value in payload.items() if value is not None}
    new = session.scalar(
        insert(Inbox)
        .values(
            id=uuid7(),
            beamline_id=beamline,
            source=source,
            key=key,
            paths=_union((), paths),
            payload=said,
            actor=actor,
        )
        .on_conflict_do_nothing(index_elements=["beamline_id", "source", "key"])
        .returning(Inbox.id)
    )
    if new is not None:
        _notify(session)
        return Reported(new, created=True, changed=True)
    return _add(session, _under(session, beamline, source, key), paths, said)


def waiting(session: Session, limit: int = 100) -> list[Inbox]:
    """Return reports that nobody has handled, oldest first.

    They stay locked until the transaction ends, so that nothing is added to one that is being
    handled; reports that another transaction holds are left out.
    """
    rows = session.scalars(
        select(Inbox)
        .where(Inbox.handled_at.is_(None))
        .order_by(Inbox.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(rows)


def handled(session: Session, ids: Collection[UUID], note: str | None = None) -> None:
    """Mark reports as handled, with a sentence about what came of them."""
    if ids:
        session.execute(
            update(Inbox)
            .where(Inbox.id.in_(ids), Inbox.handled_at.is_(None))
            .values(handled_at=func.clock_timestamp(), note=note)
        )


def names_also(session: Session, id: UUID, paths: Collection[str]) -> None:
    """Let a report be found under further paths, such as the folder of the series it names."""
    row = session.get_one(Inbox, id)
    row.paths = _union(row.paths, sorted(paths))


def has_any(session: Session, beamline: str) -> bool:
    """Tell whether anything was ever reported about a beamline's data."""
    return session.scalar(select(exists().where(Inbox.beamline_id == beamline))) or False


def about(
    session: Session, beamline: str, path: str | Path, *, uid: str | None = None
) -> dict[str, Any]:
    """Return what was reported about a file or folder; the newest word wins.

    Parameters
    ----------
    session : Session
        The transaction.
    beamline : str
        Whose data.
    path : str or Path
        The absolute path; what was reported about a folder above it counts too.
    uid : str, optional
        The scan's, if it is known: reports of another scan under the same name are left out.
        Without it, those of the newest scan count.

    Returns
    -------
    dict
        The merged payload; empty if nobody reported anything.
    """
    found = recipes.beamline_of(session, beamline)
    rows = session.scalars(
        select(Inbox)
        .where(Inbox.beamline_id == beamline, Inbox.paths.overlap(_places(path, found.folders)))
        .order_by(Inbox.updated_at.desc(), Inbox.id.desc())
        .limit(REPORTS_OF_A_PATH)
    )
    merged: dict[str, Any] = {}
    for row in rows:
        uid = uid or row.payload.get("uid")
        if row.payload.get("uid", uid) == uid:
            merged = recipes.merged(row.payload, merged)
    return merged


def _under(session: Session, beamline: str, source: str, key: str) -> Inbox:
    of_reporter = (Inbox.beamline_id == beamline, Inbox.source == source, Inbox.key == key)
    return session.scalars(
        select(Inbox)
        .where(*of_reporter)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _add(session: Session, row: Inbox, paths: Sequence[str], said: Mapping[str, Any]) -> Reported:
    if row.payload.get("stage") in ENDED:
        said = {name: value for name, value in said.items() if name not in ("stage", "reason")}
    payload, all_paths = recipes.merged(row.payload, said), _union(row.paths, paths)
    if payload == row.payload and all_paths == row.paths:
        return Reported(row.id, created=False, changed=False)
    row.payload, row.paths = payload, all_paths
    row.handled_at, row.updated_at = None, func.clock_timestamp()
    session.flush()
    _notify(session)
    return Reported(row.id, created=False, changed=True)


def _union(before: Sequence[str], more: Sequence[str]) -> list[str]:
    return list(dict.fromkeys((*before, *more)))


def _places(path: str | Path, folders: Sequence[str]) -> list[str]:
    """Return a path and the folders above it, as far as they are below a beamline's folder."""
    path = Path(path)
    inside = [
        str(above)
        for above in path.parents
        if any(above != Path(root) and above.is_relative_to(root) for root in folders)
    ]
    return [str(path), *inside]


def _notify(session: Session) -> None:
    session.execute(select(func.pg_notify(CHANNEL, "")))
