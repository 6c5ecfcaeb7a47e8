"""Adding and retiring spectra: nothing is changed, and nothing is removed."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.errors import CatalogError, NotFound
from catalog.library.new import NewSpectrum, numbers_digest
from catalog.models import Library, RetirementRecord, SpectrumRecord

FACTS = ("compound", "formula", "element", "edge", "mode", "origin", "licence", "e0")


class Added(BaseModel):
    """What became of a spectrum that was to be added."""

    id: UUID
    library: str
    name: str
    revision: int
    outcome: Literal["added", "revised", "unchanged"] = Field(
        description="revised: other numbers than before under this name; unchanged: the same ones"
    )
    differs: list[str] = Field(
        default=[], description="facts that were given anew and not taken, as the numbers are known"
    )


def add(session: Session, library: Library, new: NewSpectrum, *, actor: str) -> Added:
    """Add a spectrum to a library.

    The numbers decide: the same ones under the same name change nothing, and others are a new
    revision, which retires the one before. To correct a fact, retire the spectrum and add it again.
    """
    values = new.model_dump(exclude={"metadata"})
    values["licence"] = library.licence if new.licence is None else new.licence
    digest = numbers_digest(new.energy, new.mu)
    _take_turns(session, library)
    latest, counts = _latest(session, library, new.name)
    if latest is not None and counts and latest.digest == digest:
        differs = [fact for fact in FACTS if getattr(latest, fact) != values[fact]]
        return _added(library, latest, "unchanged", differs)
    revision = latest.revision + 1 if latest is not None else 1
    if latest is not None and counts:
        _retire(session, latest.id, actor, f"replaced by revision {revision}")
    record = SpectrumRecord(
        **values,
        library_id=library.id,
        revision=revision,
        meta=new.metadata,
        digest=digest,
        added_by=actor,
    )
    session.add(record)
    session.flush()
    return _added(library, record, "revised" if latest is not None and counts else "added")


def retire(session: Session, spectrum_id: UUID, *, actor: str, reason: str) -> None:
    """Let a spectrum no longer count; it stays on record, and one that was retired as it is.

    Raises
    ------
    NotFound
        There is no such spectrum.
    CatalogError
        There is no reason.
    """
    if not reason.strip():
        raise CatalogError("Say why the spectrum is retired; it stays on record.")
    if session.get(SpectrumRecord, spectrum_id) is None:
        raise NotFound(f"No library spectrum {spectrum_id} in the catalogue")
    if session.get(RetirementRecord, spectrum_id) is None:
        _retire(session, spectrum_id, actor, reason)


def id_of(session: Session, library: Library, name: str) -> UUID:
    """Return the id of a name's latest revision.

    Raises
    ------
    NotFound
        The library has no such spectrum.
    """
    latest, _ = _latest(session, library, name)
    if latest is None:
        raise NotFound(
            f"No spectrum {name!r} in the library {library.name}; "
            f"`dayseye library list {library.name}` has all."
        )
    return latest.id


def _retire(session: Session, spectrum_id: UUID, actor: str, reason: str) -> None:
    session.add(RetirementRecord(spectrum_id=spectrum_id, actor=actor, reason=reason))
    session.flush()


def _take_turns(session: Session, library: Library) -> None:
    """Wait for others that add to this library: a row that nobody may change cannot be locked."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(library.id), 0))))


def _latest(session: Session, library: Library, name: str) -> tuple[SpectrumRecord | None, bool]:
    """Return the latest revision of a name, and whether it counts."""
    row = session.execute(
        select(SpectrumRecord, RetirementRecord.spectrum_id.is_(None))
        .outerjoin(RetirementRecord, RetirementRecord.spectrum_id == SpectrumRecord.id)
        .where(SpectrumRecord.library_id == library.id, SpectrumRecord.name == name)
        .order_by(SpectrumRecord.revision.desc())
        .limit(1)
    ).first()
    return (row[0], row[1]) if row else (None, False)


def _added(
    library: Library,
    record: SpectrumRecord,
    outcome: Literal["added", "revised", "unchanged"],
    differs: list[str] | None = None,
) -> Added:
    return Added(
        id=record.id,
        library=library.name,
        name=record.name,
        revision=record.revision,
        outcome=outcome,
        differs=differs or [],
    )
