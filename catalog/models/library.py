"""Spectral libraries: what they are called, their spectra, and which of these no longer count."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    Double,
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from catalog.models.base import Base, uuid7

SEARCHED = "lower(name || ' ' || compound || ' ' || coalesce(formula, '') || ' ' || origin)"


class Library(Base):
    """A collection of spectra of known compounds; one with a proposal is that team's alone."""

    __tablename__ = "library"
    __table_args__ = (
        CheckConstraint("name ~ '^[^./ ][^/]*$'", name="name"),
        Index("ix_library_proposal_id", "proposal_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(server_default=text("''"))
    licence: Mapped[str] = mapped_column(server_default=text("''"))
    proposal_id: Mapped[UUID | None] = mapped_column(ForeignKey("proposal.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]


class SpectrumRecord(Base):
    """An absorption spectrum as it was measured, not normalised: ``energy`` in eV, increasing.

    Rows are added and never changed. Other numbers under the same name are another ``revision``;
    at most one of them counts, which is one without a retirement. ``digest`` is that of the
    numbers, ``e0`` the edge energy (eV) that the file declares, ``meta`` what else it tells. The
    numbers are read only when they are asked for; the database itself writes what lists tell of
    them, and ``search_text``.
    """

    __tablename__ = "library_spectrum"
    __table_args__ = (
        UniqueConstraint("library_id", "name", "revision"),
        CheckConstraint("name <> '' AND compound <> ''", name="named"),
        CheckConstraint("revision > 0", name="revision"),
        CheckConstraint("element ~ '^[A-Z][a-z]?$'", name="element"),
        CheckConstraint("edge ~ '^[KLMNO][1-9]?$'", name="edge"),
        CheckConstraint("mode IN ('transmission', 'fluorescence')", name="mode"),
        CheckConstraint("cardinality(energy) >= 10", name="points"),
        CheckConstraint("cardinality(energy) = cardinality(mu)", name="lengths"),
        Index("ix_library_spectrum_library_id_id", "library_id", "id"),
        Index("ix_library_spectrum_library_id_element_edge_id", "library_id", "element", "edge",
              "id"),
        Index("ix_library_spectrum_search_text", "search_text", postgresql_using="gin",
              postgresql_ops={"search_text": "gin_trgm_ops"}),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    library_id: Mapped[UUID] = mapped_column(ForeignKey("library.id"))
    name: Mapped[str]
    revision: Mapped[int]
    compound: Mapped[str]
    formula: Mapped[str | None]
    element: Mapped[str]
    edge: Mapped[str]
    mode: Mapped[str | None]
    origin: Mapped[str] = mapped_column(server_default=text("''"))
    licence: Mapped[str] = mapped_column(server_default=text("''"))
    e0: Mapped[float | None]
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    energy: Mapped[list[float]] = mapped_column(ARRAY(Double), deferred=True)
    mu: Mapped[list[float]] = mapped_column(ARRAY(Double), deferred=True)
    points: Mapped[int] = mapped_column(Computed("cardinality(energy)", persisted=True))
    energy_min: Mapped[float] = mapped_column(Computed("energy[1]", persisted=True))
    energy_max: Mapped[float] = mapped_column(
        Computed("energy[cardinality(energy)]", persisted=True)
    )
    digest: Mapped[str]
    file_name: Mapped[str] = mapped_column(server_default=text("''"))
    format: Mapped[str] = mapped_column(server_default=text("''"))
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())
    added_by: Mapped[str]
    search_text: Mapped[str] = mapped_column(Computed(SEARCHED, persisted=True), deferred=True)


class RetirementRecord(Base):
    """That a spectrum no longer counts, since when, who says so and why; it is never undone."""

    __tablename__ = "library_retirement"

    spectrum_id: Mapped[UUID] = mapped_column(ForeignKey("library_spectrum.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    reason: Mapped[str]
