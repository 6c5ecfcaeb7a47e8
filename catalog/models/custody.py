"""Copies of datasets in other places, and what keeps data from being purged."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.models.base import Base, uuid7


class Replica(Base):
    """A copy of a dataset in another place (``place`` is an address that fsspec understands).

    ``verified`` means that each of its files had, at ``verified_at``, the digest that the catalogue
    has; ``damaged`` that at least one had not, and ``note`` says which.
    """

    __tablename__ = "replica"
    __table_args__ = (
        UniqueConstraint("dataset_id", "place"),
        CheckConstraint("state IN ('copying', 'verified', 'damaged', 'gone')", name="state"),
        Index("ix_replica_state_verified_at", "state", "verified_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"))
    place: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'copying'"))
    bytes: Mapped[int] = mapped_column(server_default=text("0"))
    actor: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    verified_at: Mapped[datetime | None]
    retention_until: Mapped[datetime | None]
    note: Mapped[str | None]


class ReplicaFile(Base):
    """One file of a copy: where it lies below the place, and what its bytes must be."""

    __tablename__ = "replica_file"
    __table_args__ = (
        UniqueConstraint("replica_id", "path"),
        Index("ix_replica_file_file_id", "file_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    replica_id: Mapped[UUID] = mapped_column(ForeignKey("replica.id"))
    file_id: Mapped[UUID] = mapped_column(ForeignKey("dataset_file.id"))
    path: Mapped[str]
    size: Mapped[int]
    digest: Mapped[str]
    digest_algorithm: Mapped[str]


class Hold(Base):
    """A person's word that a dataset must stay where it is, until it is released."""

    __tablename__ = "hold"
    __table_args__ = (
        Index("ix_hold_open", "dataset_id", postgresql_where=text("released_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id"))
    reason: Mapped[str]
    actor: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None]
