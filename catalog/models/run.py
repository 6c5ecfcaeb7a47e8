"""Runs, their attempts and steps, what went in and came out, and the outbox."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Sequence,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from catalog.models.base import Base, one_of, uuid7
from catalog.states import AttemptState, Lane, RunState

FENCING_TOKEN = Sequence("fencing_token", data_type=BigInteger, metadata=Base.metadata)


class Run(Base):
    """One reduction of a dataset, which its run key makes unique.

    ``token`` is that of the newest attempt: only its holder may enter outputs. ``stage`` and
    ``figures`` show the progress. ``state`` changes only by a lifecycle event.
    """

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("run_key"),
        UniqueConstraint("request_id"),
        UniqueConstraint("dataset_id", "version"),
        CheckConstraint(one_of("state", RunState), name="state"),
        CheckConstraint(one_of("lane", Lane), name="lane"),
        CheckConstraint("version > 0", name="version"),
        Index("ix_run_state_id", "state", "id"),
        Index("ix_run_flow_id", "flow", "id"),
        Index("ix_run_parent_id", "parent_id"),
        Index(
            "ix_run_open",
            "dataset_id",
            postgresql_where=text("state IN ('waiting', 'running')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"))
    flow: Mapped[str]
    recipe_version: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    run_key: Mapped[str]
    request_id: Mapped[str | None]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("run.id"))
    actor: Mapped[str]
    reason: Mapped[str]
    lane: Mapped[str]
    version: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    state_reason: Mapped[str | None]
    state_at: Mapped[datetime] = mapped_column(server_default=func.now())
    token: Mapped[int | None]
    stage: Mapped[str] = mapped_column(server_default=text("''"))
    figures: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Attempt(Base):
    """One try at a run by one process, with the fencing token that it holds.

    ``machine`` tells where it ran: software versions, digest of the lock file, CPU, GPU, driver.
    One that was ``interrupted`` was lost with the platform around it, through no fault of its own.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("run_id", "number"),
        UniqueConstraint("token"),
        CheckConstraint(one_of("state", AttemptState), name="state"),
        Index(
            "uq_attempt_completed",
            "run_id",
            unique=True,
            postgresql_where=text("state = 'completed'"),
        ),
        Index(
            "uq_attempt_running", "run_id", unique=True, postgresql_where=text("state = 'running'")
        ),
        Index("ix_attempt_flow_run_id", "flow_run_id"),
        Index("ix_attempt_finished_at", "finished_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id"))
    number: Mapped[int]
    token: Mapped[int] = mapped_column(server_default=FENCING_TOKEN.next_value())
    flow_run_id: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    process_started: Mapped[float | None]
    machine: Mapped[dict[str, Any] | None]
    interrupted: Mapped[bool] = mapped_column(server_default=text("false"))
    state: Mapped[str] = mapped_column(server_default=text("'running'"))
    reason: Mapped[str | None]
    claimed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class Step(Base):
    """One algorithm's work in an attempt (append-only)."""

    __tablename__ = "step"
    __table_args__ = (
        CheckConstraint("calls > 0 AND seconds >= 0", name="work"),
        Index("ix_step_run_id_id", "run_id", "id"),
        Index("ix_step_attempt_id", "attempt_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id"))
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("attempt.id"))
    stage: Mapped[str]
    algorithm: Mapped[str]
    version: Mapped[str]
    implementation: Mapped[str]
    device: Mapped[str]
    packages: Mapped[dict[str, Any]]
    parameters: Mapped[dict[str, Any]]
    rejected: Mapped[list[Any]]
    calls: Mapped[int]
    seconds: Mapped[float]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Lineage(Base):
    """An edge between a run and a dataset, with the role that it had (append-only).

    ``fingerprint`` is that of an input's files when the run was asked for.
    """

    __tablename__ = "lineage"
    __table_args__ = (
        CheckConstraint("direction IN ('input', 'output')", name="direction"),
        Index("ix_lineage_dataset_id_direction_run_id", "dataset_id", "direction", "run_id"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id"), primary_key=True)
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    direction: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str | None]
    entered_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Dispatch(Base):
    """A row of the outbox: a flow run that Prefect shall be asked for, once (``key``).

    Several rows may share a flow run: a batch of quick scans, which ``batch_id`` joins before it is
    sent. ``waits_for`` says why one that is due was not sent, and ``output_bytes`` how much room
    its results are expected to need.
    """

    __tablename__ = "dispatch"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint(one_of("lane", Lane), name="lane"),
        Index("ix_dispatch_flow_run_id", "flow_run_id"),
        Index("ix_dispatch_batch_id", "batch_id", postgresql_where=text("sent_at IS NULL")),
        Index("ix_dispatch_unsent", "lane", "id", postgresql_where=text("sent_at IS NULL")),
        Index(
            "uq_dispatch_unsent", "run_id", unique=True, postgresql_where=text("sent_at IS NULL")
        ),
        Index("ix_dispatch_run_id", "run_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id"))
    key: Mapped[str]
    lane: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    flow_run_id: Mapped[str | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_error: Mapped[str | None]
    waits_for: Mapped[str | None]
    output_bytes: Mapped[int | None]
    batch_id: Mapped[UUID | None]


class Inbox(Base):
    """A report that data have landed or are landing: by HTTP, Bluesky, EPICS or Kafka.

    A report is a hint with details; the trigger looks at the files that it names. ``key`` is the
    reporter's own, so that a report that comes twice is one row. ``payload`` is the latest state.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("beamline_id", "source", "key"),
        Index("ix_inbox_waiting", "id", postgresql_where=text("handled_at IS NULL")),
        Index("ix_inbox_paths", "paths", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    beamline_id: Mapped[str] = mapped_column(ForeignKey("beamline.id"))
    source: Mapped[str]
    key: Mapped[str]
    paths: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    payload: Mapped[dict[str, Any]]
    actor: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    handled_at: Mapped[datetime | None]
    note: Mapped[str | None]
