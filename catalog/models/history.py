"""What happened and who says so: append-only rows that the application cannot change."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.models.base import Base, one_of, uuid7
from catalog.states import Verdict


class Transition(Base):
    """The legal moves of a dataset, a derived dataset, a run or an attempt."""

    __tablename__ = "transition"

    subject: Mapped[str] = mapped_column(primary_key=True)
    from_state: Mapped[str] = mapped_column(primary_key=True)
    to_state: Mapped[str] = mapped_column(primary_key=True)


class LifecycleEvent(Base):
    """Something that happened to a dataset or a run. One with ``to_state`` moves its state.

    The database fills ``from_state``, refuses an illegal move, and changes the state itself.
    """

    __tablename__ = "lifecycle_event"
    __table_args__ = (
        CheckConstraint("num_nonnulls(dataset_id, run_id) = 1", name="subject"),
        CheckConstraint("level IN ('info', 'alarm')", name="level"),
        Index("ix_lifecycle_event_dataset_id_id", "dataset_id", "id"),
        Index("ix_lifecycle_event_run_id_id", "run_id", "id"),
        Index("ix_lifecycle_event_alarm", "id", postgresql_where=text("level = 'alarm'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    dataset_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset.id"))
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("run.id"))
    event: Mapped[str]
    level: Mapped[str] = mapped_column(server_default=text("'info'"))
    from_state: Mapped[str | None]
    to_state: Mapped[str | None]
    actor: Mapped[str]
    reason: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class VerdictRecord(Base):
    """A verdict on a result, with its reasons and the figures behind it; the last one holds.

    ``rules_version`` is that of the technique's rules; ``overrules`` marks a person's verdict.
    """

    __tablename__ = "verdict"
    __table_args__ = (
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        Index("ix_verdict_dataset_id_id", "dataset_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"))
    verdict: Mapped[str]
    reasons: Mapped[list[Any]]
    quality: Mapped[dict[str, Any]]
    rules_version: Mapped[str | None]
    overrules: Mapped[bool] = mapped_column(server_default=text("false"))
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class Notification(Base):
    """A message to people. Those of one ``kind`` that wait go out as one, under a ``group_id``.

    Failures, quarantined data and alarms become one in the transaction of their event, by a
    trigger. ``delivered`` names the channels that have taken it; ``sent_at`` is set with the last.
    """

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("key"),
        Index("ix_notification_waiting", "id", postgresql_where=text("sent_at IS NULL")),
        Index("ix_notification_group_id", "group_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[str]
    key: Mapped[str]
    beamline_id: Mapped[str | None] = mapped_column(ForeignKey("beamline.id"))
    message: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    group_id: Mapped[UUID | None]
    delivered: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    sent_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_error: Mapped[str | None]
