"""Pausing a beamline: what lands is registered, and nothing is dispatched until it is resumed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from catalog import outbox, recipes
from catalog.connection import LOCK
from catalog.models import Beamline, Dataset, Dispatch, Run


@dataclass(frozen=True)
class Paused:
    """A beamline that is paused, and how many dispatches wait for its end."""

    beamline: str
    since: datetime
    by: str
    reason: str
    waiting: int


def pause(session: Session, beamline: str, actor: str, reason: str) -> bool:
    """Hold back a beamline's dispatches; runs that Prefect has already are not touched.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    beamline : str
        Its id.
    actor, reason : str
        Who pauses it, and why.

    Returns
    -------
    bool
        False if it is paused already: the first word stands.

    Raises
    ------
    NotFound
        There is no such beamline.
    """
    found = _locked(session, beamline)
    if found.paused_at is not None:
        return False
    found.paused_at, found.paused_by, found.pause_reason = func.now(), actor, reason
    session.flush()
    explain(session)
    return True


def resume(session: Session, beamline: str) -> bool:
    """Let a beamline's dispatches go on; False if it is not paused.

    Raises
    ------
    NotFound
        There is no such beamline.
    """
    found = _locked(session, beamline)
    if found.paused_at is None:
        return False
    found.paused_at = found.paused_by = found.pause_reason = None
    session.flush()
    session.execute(
        update(Dispatch)
        .where(
            Dispatch.sent_at.is_(None),
            Dispatch.run_id == Run.id,
            Run.dataset_id == Dataset.id,
            Dataset.beamline_id == beamline,
        )
        .values(waits_for=None)
    )
    session.execute(select(func.pg_notify(outbox.CHANNEL, "")))
    return True


def paused(session: Session) -> Sequence[Paused]:
    """Return the beamlines that are paused, in the order of their names."""
    waiting = (
        select(func.count(Dispatch.id))
        .join(Run, Run.id == Dispatch.run_id)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .where(*outbox.waiting(), Dataset.beamline_id == Beamline.id)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Beamline, waiting).where(Beamline.paused_at.is_not(None)).order_by(Beamline.id)
    )
    return [
        Paused(row.id, since, row.paused_by or "", row.pause_reason or "", count)
        for row, count in rows
        if (since := row.paused_at) is not None
    ]


def explain(session: Session) -> None:
    """Write beside each dispatch that a pause holds back who paused it, and why."""
    for row in session.scalars(select(Beamline).where(Beamline.paused_at.is_not(None))):
        outbox.tell(session, sentence(row), Dataset.beamline_id == row.id)


def sentence(beamline: Beamline) -> str:
    """Say that a beamline is paused, by whom and why."""
    because = f": {beamline.pause_reason}" if beamline.pause_reason else ""
    return f"{beamline.id} is paused by {beamline.paused_by}{because}"


def _locked(session: Session, beamline: str) -> Beamline:
    found = recipes.beamline_of(session, beamline)
    session.refresh(found, with_for_update=LOCK)
    return found
