"""Datasets, their files, and the calibrations among them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.models.base import Base, one_of, uuid7
from catalog.states import DatasetState, Kind, Verdict

SERIES = "series:"
"""How the entry key of a series begins."""


class Dataset(Base):
    """Raw, calibration or derived data: what (beamline, entry key) names.

    ``state`` changes only by a lifecycle event, and ``verdict`` by a row of ``verdict``; triggers
    keep both. ``taken_at`` is the start time where the data tell it, else the first sighting.
    ``rule`` names the rule of its beamline that took it. One with ``purged_at`` is a tombstone: its
    files are gone from the storages, and the database lets nobody undo that. The database itself
    writes ``search_text`` and, for words too short for its trigrams, ``search_pairs``.
    ``series_key`` is what raw datasets of one series share, and ``parent_id`` the series, once
    there are two of them.
    """

    __tablename__ = "dataset"
    __table_args__ = (
        UniqueConstraint("beamline_id", "entry_key"),
        UniqueConstraint("beamline_id", "base_key", "generation"),
        UniqueConstraint("source_id", "version"),
        CheckConstraint(one_of("kind", Kind), name="kind"),
        CheckConstraint(one_of("state", DatasetState), name="state"),
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint("visibility IN ('embargoed', 'proprietary', 'public')", name="visibility"),
        CheckConstraint("generation > 0", name="generation"),
        CheckConstraint(
            "(kind = 'derived') = (source_id IS NOT NULL) AND "
            "(kind = 'derived') = (run_id IS NOT NULL) AND "
            "(kind = 'derived') = (flow IS NOT NULL) AND "
            "(kind = 'derived') = (version IS NOT NULL)",
            name="derived",
        ),
        CheckConstraint("kind = 'derived' OR NOT is_current", name="current"),
        Index(
            "uq_dataset_current",
            "source_id",
            "flow",
            unique=True,
            postgresql_where=text("is_current"),
        ),
        Index("uq_dataset_run_id", "run_id", unique=True),
        Index("uq_dataset_external_id", "external_id", unique=True),
        Index("uq_dataset_output_folder", "output_folder", unique=True),
        Index("ix_dataset_taken_at_id", "taken_at", "id"),
        Index("ix_dataset_beamline_id_taken_at_id", "beamline_id", "taken_at", "id"),
        Index("ix_dataset_beamline_id_id", "beamline_id", "id"),
        Index("ix_dataset_state_id", "state", "id"),
        Index("ix_dataset_technique_beamline_id_id", "technique", "beamline_id", "id"),
        Index("ix_dataset_proposal_id_id", "proposal_id", "id"),
        Index("ix_dataset_sample_id_id", "sample_id", "id"),
        Index(
            "ix_dataset_parent_id_id",
            "parent_id",
            "id",
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        Index(
            "ix_dataset_beamline_id_series_key",
            "beamline_id",
            "series_key",
            postgresql_where=text("series_key IS NOT NULL AND parent_id IS NULL"),
        ),
        Index(
            "ix_dataset_embargo_until",
            "embargo_until",
            postgresql_where=text("visibility = 'embargoed' AND embargo_until IS NOT NULL"),
        ),
        Index("ix_dataset_purged_at", "purged_at", postgresql_where=text("purged_at IS NOT NULL")),
        Index(
            "ix_dataset_search_text",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        ),
        Index("ix_dataset_search_pairs", "search_pairs", postgresql_using="gin"),
        Index("ix_dataset_calibrations", "id", postgresql_where=text("kind = 'calibration'")),
        Index("ix_dataset_doubtful", "verdict", "id", postgresql_where=text("verdict <> 'ok'")),
        Index("ix_dataset_public", "id", postgresql_where=text("visibility = 'public'")),
        Index(
            "ix_dataset_public_taken_at",
            "taken_at",
            "id",
            postgresql_where=text("visibility = 'public'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[str]
    beamline_id: Mapped[str] = mapped_column(ForeignKey("beamline.id"))
    entry_key: Mapped[str]
    base_key: Mapped[str]
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    name: Mapped[str]
    technique: Mapped[str]
    format: Mapped[str] = mapped_column(server_default=text("''"))
    inner_path: Mapped[str] = mapped_column(server_default=text("''"))
    uid: Mapped[str | None]
    started_at: Mapped[datetime | None]
    taken_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    state: Mapped[str] = mapped_column(server_default=text("'registered'"))
    state_reason: Mapped[str | None]
    state_at: Mapped[datetime] = mapped_column(server_default=func.now())
    visibility: Mapped[str] = mapped_column(server_default=text("'embargoed'"))
    embargo_until: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]
    rule: Mapped[str] = mapped_column(server_default=text("''"))
    proposal_id: Mapped[UUID | None] = mapped_column(ForeignKey("proposal.id"))
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visit.id"))
    sample_id: Mapped[UUID | None] = mapped_column(ForeignKey("sample.id"))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset.id"))
    series_key: Mapped[str | None]
    detector: Mapped[str] = mapped_column(server_default=text("''"))
    needs: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    external_id: Mapped[str | None]
    search_text: Mapped[str] = mapped_column(server_default=text("''"))
    search_pairs: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    output_folder: Mapped[str | None]

    source_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset.id"))
    run_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("run.id", use_alter=True, name="fk_dataset_run_id")
    )
    flow: Mapped[str | None]
    version: Mapped[int | None]
    is_current: Mapped[bool] = mapped_column(server_default=text("false"))
    verdict: Mapped[str | None]

    @property
    def is_series(self) -> bool:
        """Whether it stands for other raw datasets, whose results are reduced together."""
        return self.kind == Kind.RAW and self.entry_key.startswith(SERIES)


class Series(Base):
    """What a series waits for: one row beside its dataset, which has no files.

    ``news`` counts the results that its scans got since a run of the series last took them, and
    ``due_since`` is when the first of these came; ``taken`` is how many that run took.
    """

    __tablename__ = "series"
    __table_args__ = (
        Index("ix_series_due_since", "due_since", postgresql_where=text("due_since IS NOT NULL")),
    )

    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    due_since: Mapped[datetime | None]
    news: Mapped[int] = mapped_column(server_default=text("0"))
    taken: Mapped[int] = mapped_column(server_default=text("0"))


class DatasetFile(Base):
    """A file of a dataset, or a numbered series as one row with its manifest's fingerprint.

    ``gone_at`` marks one that a later sighting no longer found here: a temporary name, a move.
    """

    __tablename__ = "dataset_file"
    __table_args__ = (
        UniqueConstraint("dataset_id", "storage_id", "path", "inner_path", "role"),
        CheckConstraint("size >= 0", name="size"),
        CheckConstraint("count > 0", name="count"),
        CheckConstraint("(digest IS NULL) = (digest_algorithm IS NULL)", name="digest"),
        CheckConstraint("path !~ '(^/)|(^|/)[.][.](/|$)'", name="path"),
        Index("ix_dataset_file_storage_id_path", "storage_id", "path"),
        Index(
            "ix_dataset_file_without_digest",
            "id",
            postgresql_where=text("digest IS NULL AND gone_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"))
    storage_id: Mapped[UUID] = mapped_column(ForeignKey("storage.id"))
    path: Mapped[str]
    inner_path: Mapped[str] = mapped_column(server_default=text("''"))
    role: Mapped[str]
    size: Mapped[int]
    mtime_ns: Mapped[int | None]
    inode: Mapped[int | None]
    count: Mapped[int] = mapped_column(server_default=text("1"))
    media_type: Mapped[str | None]
    fingerprint: Mapped[str | None]
    digest: Mapped[str | None]
    digest_algorithm: Mapped[str | None]
    gone_at: Mapped[datetime | None]


class Calibration(Base):
    """What a calibration dataset serves as: one row for each kind (flat, dark, ...)."""

    __tablename__ = "calibration"
    __table_args__ = (Index("ix_calibration_kind_detector", "kind", "detector"),)

    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    detector: Mapped[str]
    energy_kev: Mapped[float | None]
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]


class DatasetCalibration(Base):
    """The calibration that was chosen for a dataset, with the role that it has for it."""

    __tablename__ = "dataset_calibration"
    __table_args__ = (Index("ix_dataset_calibration_calibration_id", "calibration_id"),)

    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    calibration_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    chosen_at: Mapped[datetime] = mapped_column(server_default=func.now())
