"""Questions about libraries: which there are, which spectra stand in one, what one is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from catalog.library.libraries import find
from catalog.library.views import LibraryView, SpectrumDetail, SpectrumFilter, SpectrumSummary
from catalog.models import Library, Proposal, RetirementRecord, SpectrumRecord
from catalog.queries.views import Page


def list_libraries(session: Session) -> list[LibraryView]:
    """Return the libraries by name, with what counts in each."""
    counts = and_(
        SpectrumRecord.library_id == Library.id,
        ~select(RetirementRecord).where(RetirementRecord.spectrum_id == SpectrumRecord.id).exists(),
    )
    elements = func.array_agg(SpectrumRecord.element.distinct())
    rows = session.execute(
        select(
            Library,
            Proposal.code,
            func.count(SpectrumRecord.id),
            func.array_remove(elements, None),
        )
        .outerjoin(Proposal, Proposal.id == Library.proposal_id)
        .outerjoin(SpectrumRecord, counts)
        .group_by(Library.id, Proposal.code)
        .order_by(Library.name)
    )
    return [_library_view(*row) for row in rows]


def list_spectra(
    session: Session,
    library: str,
    filters: SpectrumFilter | None = None,
    *,
    cursor: UUID | None = None,
    limit: int = 50,
) -> Page[SpectrumSummary]:
    """List the spectra of a library, the latest first.

    Parameters
    ----------
    library
        Its name.
    filters
        What the spectra must fit.
    cursor
        The last spectrum of the page before.
    limit
        How many to return at most.

    Raises
    ------
    NotFound
        There is no such library for who looks.
    """
    conditions = _conditions(filters or SpectrumFilter())
    if cursor is not None:
        conditions.append(SpectrumRecord.id < cursor)
    statement = (
        _summaries()
        .where(SpectrumRecord.library_id == find(session, library).id, *conditions)
        .order_by(SpectrumRecord.id.desc())
        .limit(limit + 1)
    )
    rows = session.execute(statement).all()
    items = [SpectrumSummary(**_summary(*row)) for row in rows[:limit]]
    return Page[SpectrumSummary](
        items=items, next_cursor=items[-1].id if len(rows) > limit else None
    )


def spectrum(session: Session, spectrum_id: UUID) -> SpectrumDetail | None:
    """Return a spectrum with its numbers; None if there is none for who looks."""
    row: Any = session.execute(_summaries().where(SpectrumRecord.id == spectrum_id)).first()
    if row is None:
        return None
    record: SpectrumRecord = row[0]
    retirement: RetirementRecord | None = row[2]
    return SpectrumDetail(
        **_summary(*row),
        e0=record.e0,
        metadata=record.meta,
        file_name=record.file_name,
        format=record.format,
        digest=record.digest,
        retired_by=retirement.actor if retirement else None,
        retired_reason=retirement.reason if retirement else None,
        energy=record.energy,
        mu=record.mu,
    )


def _summaries() -> Any:
    """Select spectra with their library's name, which hides what is not the viewer's."""
    return (
        select(SpectrumRecord, Library.name, RetirementRecord)
        .join(Library, Library.id == SpectrumRecord.library_id)
        .outerjoin(RetirementRecord, RetirementRecord.spectrum_id == SpectrumRecord.id)
    )


def _conditions(filters: SpectrumFilter) -> list[ColumnElement[bool]]:
    words = (filters.text or "").lower().split()
    conditions = [SpectrumRecord.search_text.contains(word, autoescape=True) for word in words]
    if filters.element is not None:
        conditions.append(SpectrumRecord.element == filters.element)
    if filters.edge is not None:
        conditions.append(SpectrumRecord.edge == filters.edge)
    if not filters.retired:
        conditions.append(RetirementRecord.spectrum_id.is_(None))
    return conditions


def _summary(
    record: SpectrumRecord, library: str, retirement: RetirementRecord | None
) -> dict[str, Any]:
    shared = SpectrumSummary.model_fields.keys() & SpectrumRecord.__mapper__.attrs.keys()
    values = {name: getattr(record, name) for name in shared}
    return {
        **values,
        "library": library,
        "retired_at": retirement.at if retirement else None,
    }


def _library_view(
    library: Library, proposal: str | None, count: int, elements: list[str] | None
) -> LibraryView:
    return LibraryView(
        name=library.name,
        description=library.description,
        licence=library.licence,
        proposal=proposal,
        spectra=count,
        elements=sorted(elements or []),
        created_at=library.created_at,
        created_by=library.created_by,
    )
