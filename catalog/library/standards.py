"""What a flow takes out of libraries: the spectra that count, and a digest that its run records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from catalog.errors import NotFound
from catalog.models import Library, Proposal, RetirementRecord, SpectrumRecord


@dataclass(frozen=True)
class LibrarySpectrum:
    """A spectrum that counts, as it was measured: ``energy`` in eV, ``mu`` not normalised."""

    id: UUID
    library: str
    name: str
    revision: int
    compound: str
    formula: str | None
    element: str
    edge: str
    e0: float | None
    digest: str
    metadata: dict[str, Any]
    energy: list[float]
    mu: list[float]


def spectra(
    session: Session,
    names: Sequence[str] | None,
    element: str,
    edge: str,
    *,
    proposal: str | None = None,
) -> list[LibrarySpectrum]:
    """Return the spectra of an element's edge that count, by library and name.

    Parameters
    ----------
    session
        Any session; who looks through it is not asked, for a flow looks for its dataset's team.
    names
        Of the libraries; None means all that are open or the proposal's.
    element, edge
        Such as ``Fe`` and ``K``.
    proposal
        Code of the dataset's proposal, whose own libraries serve it beside the open ones.

    Raises
    ------
    NotFound
        There is no such library, or it is another proposal's.
    """
    libraries = _libraries(session, names, proposal)
    statement = _that_count(LibrarySpectrum.__dataclass_fields__, libraries, element, edge)
    return [LibrarySpectrum(*row) for row in session.execute(statement)]


def digest(
    session: Session,
    names: Sequence[str] | None,
    element: str,
    edge: str,
    *,
    proposal: str | None = None,
) -> str:
    """Return a digest of what :func:`spectra` would return: names, compounds, edges and numbers.

    It is the same wherever the same spectra stand under the same names.

    Raises
    ------
    NotFound
        There is no such library, or it is another proposal's.
    """
    fields = ("library", "name", "compound", "e0", "digest")
    statement = _that_count(fields, _libraries(session, names, proposal), element, edge)
    told = hashlib.sha256()
    for row in session.execute(statement):
        told.update(repr(tuple(row)).encode())
    return "sha256:" + told.hexdigest()


_ELSEWHERE: dict[str, Any] = {"library": Library.name, "metadata": SpectrumRecord.meta}
_COLUMNS: dict[str, Any] = {
    field: getattr(SpectrumRecord, field)
    for field in LibrarySpectrum.__dataclass_fields__
    if field not in _ELSEWHERE
} | _ELSEWHERE


def _that_count(fields: Iterable[str], libraries: Sequence[UUID], element: str, edge: str) -> Any:
    retired = select(RetirementRecord).where(RetirementRecord.spectrum_id == SpectrumRecord.id)
    return (
        select(*(_COLUMNS[field] for field in fields))
        .join(Library, Library.id == SpectrumRecord.library_id)
        .where(
            SpectrumRecord.library_id.in_(libraries),
            SpectrumRecord.element == element,
            SpectrumRecord.edge == edge,
            ~retired.exists(),
        )
        .order_by(Library.name.collate("C"), SpectrumRecord.name.collate("C"))
    )


def _libraries(
    session: Session, names: Sequence[str] | None, proposal: str | None
) -> Sequence[UUID]:
    rows = session.execute(select(Library.name, Library.id).where(_serves(proposal)))
    there: dict[str, UUID] = {name: key for name, key in rows}
    missing = [name for name in names or () if name not in there]
    if missing:
        raise NotFound(
            f"No library {', '.join(map(repr, missing))} for data of "
            f"{proposal or 'no proposal'}: it is not in the catalogue, or another proposal's own. "
            f"There are: {', '.join(sorted(there)) or 'none'}."
        )
    return [there[name] for name in (there if names is None else names)]


def _serves(proposal: str | None) -> ColumnElement[bool]:
    own = select(Proposal.id).where(Proposal.code == proposal).scalar_subquery()
    return or_(Library.proposal_id.is_(None), Library.proposal_id == own)
