"""The only way in which the state of a dataset or a run changes: by an event that says who and why.

Which moves are legal is written in the database, which applies the event and refuses others.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from catalog.errors import IllegalMove
from catalog.models import Dataset, LifecycleEvent, Run, uuid7


def move(
    session: Session,
    subject: Dataset | Run,
    to: str,
    *,
    actor: str,
    reason: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Move a dataset or a run to another state.

    Raises
    ------
    IllegalMove
        The state cannot follow the present one. The transaction must be rolled back.
    """
    try:
        _add(session, subject, event=to, to_state=to, actor=actor, reason=reason, details=details)
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != "legal_move":
            raise
        raise IllegalMove(str(error.orig).splitlines()[0]) from None
    set_committed_value(subject, "state", to)
    set_committed_value(subject, "state_reason", reason)
    session.expire(subject, ["state_at"])


def note(
    session: Session,
    subject: Dataset | Run,
    event: str,
    *,
    actor: str,
    reason: str | None = None,
    details: dict[str, Any] | None = None,
    alarm: bool = False,
) -> None:
    """Write down that something happened, without a change of state.

    Parameters
    ----------
    session : Session
        The transaction in which it happened.
    subject : Dataset or Run
        What it happened to.
    event : str
        A word for it, such as ``raw_changed``.
    actor : str
        Who or what did it.
    reason : str, optional
        A sentence for the user.
    details : dict, optional
        Figures that belong to it.
    alarm : bool
        Whether somebody should look at it.
    """
    level = "alarm" if alarm else "info"
    _add(session, subject, event=event, level=level, actor=actor, reason=reason, details=details)


def tell_many(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Enter many events at once, in their order; those with ``to_state`` move states.

    Parameters
    ----------
    session : Session
        The transaction.
    rows : sequence of dict
        Each with ``dataset_id`` or ``run_id``, ``event``, ``actor``, and perhaps ``to_state``,
        ``reason`` and ``details``. What the session knows of the subjects' states is out of date
        afterwards.
    """
    if not rows:
        return
    session.flush()
    empty: dict[str, Any] = {
        "dataset_id": None,
        "run_id": None,
        "to_state": None,
        "reason": None,
        "details": {},
    }
    session.execute(insert(LifecycleEvent), [{**empty, "id": uuid7(), **row} for row in rows])


def _add(session: Session, subject: Dataset | Run, **values: Any) -> None:
    session.flush()
    whose = "dataset_id" if isinstance(subject, Dataset) else "run_id"
    row: dict[str, Any] = {"id": uuid7(), whose: subject.id, **values}
    row["details"] = row["details"] or {}
    session.execute(insert(LifecycleEvent).values(row))
