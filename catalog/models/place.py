"""Where data come from and belong to: storages, beamlines, flows, proposals, visits, samples."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.models.base import Base, uuid7


class Storage(Base):
    """A tree of files. A file is a storage and a path in it, so that data can move."""

    __tablename__ = "storage"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(unique=True)
    root: Mapped[str] = mapped_column(unique=True)


class Beamline(Base):
    """A beamline as the settings describe it, published when the platform starts.

    ``rules`` are those parts of its rules that reductions need: name, technique, flow, recipe,
    batch, and the flow and recipe of series. Data are purged only after the intervals given here,
    and become public after the embargo; none means never. While it is paused, what lands is
    registered and not dispatched.
    """

    __tablename__ = "beamline"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    technique: Mapped[str]
    flow: Mapped[str | None]
    folders: Mapped[list[str]]
    output_template: Mapped[str]
    recipe: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    calibration_max_age: Mapped[timedelta]
    calibration_rules: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    series_flow: Mapped[str | None]
    series_recipe: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    rules: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    triggers: Mapped[list[str]] = mapped_column(server_default=text("'{files}'"))
    purge_derived_after: Mapped[timedelta | None]
    purge_raw_after: Mapped[timedelta | None]
    embargo: Mapped[timedelta | None]
    output_group: Mapped[str] = mapped_column(server_default=text("''"))
    output_mode: Mapped[str] = mapped_column(server_default=text("''"))
    paused_at: Mapped[datetime | None]
    paused_by: Mapped[str | None]
    pause_reason: Mapped[str | None]
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FlowSchema(Base):
    """The parameters that a flow takes, as a JSON schema: recipes are checked without the flow."""

    __tablename__ = "flow_schema"
    __table_args__ = (
        Index("uq_flow_schema_current", "flow", unique=True, postgresql_where=text("is_current")),
    )

    flow: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    technique: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    is_current: Mapped[bool] = mapped_column(server_default=text("true"))
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Proposal(Base):
    """A proposal; data without one are unassigned until a person assigns them."""

    __tablename__ = "proposal"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    code: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str | None]
    external_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Visit(Base):
    """A visit of a proposal's team to a beamline."""

    __tablename__ = "visit"
    __table_args__ = (UniqueConstraint("proposal_id", "code"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    proposal_id: Mapped[UUID] = mapped_column(ForeignKey("proposal.id"))
    code: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Sample(Base):
    """A sample. Density in g/cm³, thickness in mm, cell in Å and degrees."""

    __tablename__ = "sample"
    __table_args__ = (
        UniqueConstraint("proposal_id", "name", postgresql_nulls_not_distinct=True),
        Index("ix_sample_name", "name"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    proposal_id: Mapped[UUID | None] = mapped_column(ForeignKey("proposal.id"))
    name: Mapped[str]
    formula: Mapped[str | None]
    density: Mapped[float | None]
    thickness: Mapped[float | None]
    container: Mapped[str | None]
    cell: Mapped[dict[str, Any] | None]
    sequence: Mapped[str | None]
    external_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TriggerStatus(Base):
    """How one way of hearing about a beamline's data is: when it was last heard, and of what."""

    __tablename__ = "trigger_status"
    __table_args__ = (
        CheckConstraint("state IN ('listening', 'silent', 'unreachable', 'off')", name="state"),
    )

    beamline_id: Mapped[str] = mapped_column(ForeignKey("beamline.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    heard_at: Mapped[datetime | None]
    arrivals: Mapped[int] = mapped_column(server_default=text("0"))
    refused: Mapped[int] = mapped_column(server_default=text("0"))
    note: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
