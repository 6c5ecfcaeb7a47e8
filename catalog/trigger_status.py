"""How each way of hearing about a beamline's data is, for people to see and for alarms."""

from datetime import datetime
from typing import Literal

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog.models import TriggerStatus

State = Literal["listening", "silent", "unreachable", "off"]


def tell(
    session: Session,
    beamline: str,
    kind: str,
    *,
    state: State | None = None,
    heard_at: datetime | None = None,
    arrivals: int = 0,
    refused: int = 0,
    note: str | None = None,
) -> None:
    """Enter how a trigger is.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    beamline, kind : str
        Whose trigger, and which: ``files``, ``http``, ``bluesky``, ``epics`` or ``kafka``.
    state : str, optional
        How it is; without it, the state stays (a new one listens).
    heard_at : datetime, optional
        When it was last heard of.
    arrivals, refused : int
        How many more it announced, and how many more of its messages were refused.
    note : str, optional
        A sentence about it; without it, the last one stays while the state does.
    """
    row = insert(TriggerStatus).values(
        beamline_id=beamline,
        kind=kind,
        state=state or "listening",
        heard_at=heard_at,
        arrivals=arrivals,
        refused=refused,
        note=note,
    )
    old, new = TriggerStatus, row.excluded
    # what is said about a state goes when the state does
    kept = func.coalesce(new.note, old.note) if state is None else new.note
    session.execute(
        row.on_conflict_do_update(
            index_elements=["beamline_id", "kind"],
            set_={
                "state": new.state if state else old.state,
                "heard_at": func.greatest(old.heard_at, new.heard_at),
                "arrivals": old.arrivals + new.arrivals,
                "refused": old.refused + new.refused,
                "note": kept,
                "updated_at": func.clock_timestamp(),
            },
        )
    )


def switch_off(session: Session, beamline: str, kinds_on: tuple[str, ...]) -> None:
    """Mark the triggers of a beamline that are on no more."""
    session.execute(
        update(TriggerStatus)
        .where(TriggerStatus.beamline_id == beamline, TriggerStatus.kind.not_in(kinds_on))
        .values(state="off", note=None, updated_at=func.clock_timestamp())
    )
