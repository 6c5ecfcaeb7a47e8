"""Messages to people: gathered in the catalogue, grouped by kind, told once per channel.

Failures, quarantined data and alarms are entered by the database, in the transaction of their
event. What is no event but lasts (a backlog, a full disk, a silent trigger) is a condition: one
message when it begins, and none again until it has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog.models import Notification, uuid7

LOCK = func.hashtextextended("notifications", 0)
LINES = 50
LONGEST_PAUSE = timedelta(minutes=15)


@dataclass(frozen=True)
class Line:
    """One message of a group."""

    at: datetime
    beamline: str | None
    message: str


@dataclass(frozen=True)
class Group:
    """Messages of one kind that go out as one.

    Attributes
    ----------
    id : UUID
        The same at each try, so that a receiver can tell a repeated one.
    kind : str
        ``failure``, ``quarantine``, ``alarm``, ``backlog``, ``low_disk`` or ``trigger``.
    count : int
        How many messages they are; ``lines`` has the first of them.
    delivered : tuple of str
        The channels that have taken it.
    """

    id: UUID
    kind: str
    count: int
    lines: tuple[Line, ...]
    delivered: tuple[str, ...]


# -- conditions -----------------------------------------------------------------------------


def begin(
    session: Session, kind: str, subject: str, message: str, *, beamline: str | None = None
) -> bool:
    """Tell that a condition has begun, unless it is known to last; return whether it is new."""
    row = insert(Notification).values(
        id=uuid7(), kind=kind, key=_key(kind, subject), beamline_id=beamline, message=message
    )
    entered = row.on_conflict_do_nothing(index_elements=["key"]).returning(Notification.id)
    return session.scalar(entered) is not None


def end(session: Session, kind: str, subject: str) -> bool:
    """Note that a condition has ended, so that its next begin is told; return whether it lasted."""
    ended = (
        update(Notification)
        .where(Notification.key == _key(kind, subject))
        .values(key=func.concat(Notification.key, " until ", Notification.id))
        .returning(Notification.id)
    )
    return session.scalar(ended) is not None


def lasting(session: Session, kind: str) -> list[str]:
    """Return the subjects of the conditions of a kind that last."""
    prefix = _key(kind, "")
    keys = select(Notification.key).where(
        Notification.kind == kind,
        Notification.key.startswith(prefix, autoescape=True),
        Notification.key.not_like("% until %"),
    )
    return [key.removeprefix(prefix) for key in session.scalars(keys)]


def _key(kind: str, subject: str) -> str:
    return f"while {kind} {subject}"


# -- groups ---------------------------------------------------------------------------------


def group(session: Session, after: timedelta) -> int:
    """Close the groups whose first message has waited long enough; return how many.

    A group that is closed keeps its messages, whoever sends it and however often.
    """
    session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    open_ones = (Notification.sent_at.is_(None), Notification.group_id.is_(None))
    ripe = (
        select(Notification.kind)
        .where(*open_ones)
        .group_by(Notification.kind)
        .having(func.min(Notification.at) <= func.now() - after)
        .order_by(func.min(Notification.at), Notification.kind.desc())
    )
    kinds = session.scalars(ripe).all()
    for kind in kinds:
        session.execute(
            update(Notification)
            .where(*open_ones, Notification.kind == kind)
            .values(group_id=uuid7())
        )
    return len(kinds)


def due(session: Session, limit: int = 20) -> list[Group]:
    """Return groups that are to be sent now."""
    ids = session.scalars(
        select(Notification.group_id)
        .where(
            Notification.sent_at.is_(None),
            Notification.group_id.is_not(None),
            Notification.next_try_at <= func.now(),
        )
        .group_by(Notification.group_id)
        .order_by(Notification.group_id)
        .limit(limit)
    ).all()
    return [_group(session, each) for each in ids if each is not None]


def _group(session: Session, group_id: UUID) -> Group:
    rows = session.scalars(
        select(Notification)
        .where(Notification.group_id == group_id)
        .order_by(Notification.id)
        .limit(LINES)
    ).all()
    count = select(func.count()).where(Notification.group_id == group_id)
    return Group(
        id=group_id,
        kind=rows[0].kind,
        count=session.scalar(count) or 0,
        lines=tuple(Line(row.at, row.beamline_id, row.message) for row in rows),
        delivered=tuple(rows[0].delivered),
    )


def delivered(session: Session, group_id: UUID, channel: str) -> None:
    """Note that a channel has taken a group."""
    mine = update(Notification).where(Notification.group_id == group_id)
    session.execute(mine.values(delivered=func.array_append(Notification.delivered, channel)))


def sent(session: Session, group_id: UUID) -> None:
    """Note that all channels have taken a group."""
    mine = update(Notification).where(Notification.group_id == group_id)
    session.execute(mine.values(sent_at=func.clock_timestamp(), last_error=None))


def failed(session: Session, group_id: UUID, error: str, pause: timedelta) -> None:
    """Note that a channel did not take a group; the pause doubles each time."""
    doubled = pause * func.power(2, func.least(Notification.tries, 10))
    session.execute(
        update(Notification)
        .where(Notification.group_id == group_id)
        .values(
            tries=Notification.tries + 1,
            last_error=error,
            next_try_at=func.now() + func.least(doubled, LONGEST_PAUSE),
        )
    )


def newest(session: Session, limit: int = 30) -> Sequence[Notification]:
    """Return the newest messages."""
    return session.scalars(select(Notification).order_by(Notification.id.desc()).limit(limit)).all()
