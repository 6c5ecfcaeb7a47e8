"""Spectral libraries: their spectra with the numbers, and adding one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from catalog import library
from catalog.access import Viewer
from catalog.api.paging import PageQuery
from catalog.api.problems import not_found, responses
from catalog.api.security import PrincipalDep, ReaderDep
from catalog.api.service import ServiceDep
from catalog.errors import NotFound
from catalog.library import (
    Added,
    LibraryView,
    NewSpectrum,
    SpectrumDetail,
    SpectrumFilter,
    SpectrumSummary,
)
from catalog.queries import Page

router = APIRouter(prefix="/api", tags=["libraries"])
REFUSALS = responses(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


class SpectrumQuery(SpectrumFilter, PageQuery):
    """Which spectra of a library, and which page of them."""


class Retirement(BaseModel):
    """Why a spectrum no longer counts."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="why; it stays on record")


def require_library_write(name: str, service: ServiceDep, viewer: PrincipalDep) -> Viewer:
    """Let pass who may add to the library that the path names as ``name``.

    Raises
    ------
    NotFound
        There is no such library for them.
    Forbidden
        They may only see it.
    """
    with Session(service.engine) as session:
        library.demand_write(session, viewer, name)
    return viewer


def require_spectrum_write(spectrum_id: UUID, service: ServiceDep, viewer: PrincipalDep) -> Viewer:
    """Let pass who may change the library of the path's ``spectrum_id``.

    Raises
    ------
    NotFound
        There is no such spectrum for them.
    Forbidden
        They may only see it.
    """
    with service.snapshot(viewer) as session:
        found = library.spectrum(session, spectrum_id)
        if found is None:
            raise NotFound(f"No library spectrum {spectrum_id} in the catalogue")
        library.demand_write(session, viewer, found.library)
    return viewer


@router.get("/libraries")
def list_libraries(service: ServiceDep, viewer: ReaderDep) -> list[LibraryView]:
    """List the spectral libraries, by name."""
    with service.snapshot(viewer) as session:
        return library.list_libraries(session)


@router.get(
    "/libraries/{name}/spectra",
    responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def list_library_spectra(
    name: str, service: ServiceDep, viewer: ReaderDep, query: Annotated[SpectrumQuery, Query()]
) -> Page[SpectrumSummary]:
    """List the spectra of a library, the latest first, without their numbers."""
    with service.snapshot(viewer) as session:
        return library.list_spectra(session, name, query, cursor=query.cursor, limit=query.limit)


@router.get("/library-spectra/{spectrum_id}", responses=responses(HTTPStatus.NOT_FOUND))
def get_library_spectrum(
    spectrum_id: UUID, service: ServiceDep, viewer: ReaderDep
) -> SpectrumDetail:
    """Show a spectrum of a library with its numbers."""
    with service.snapshot(viewer) as session:
        return _spectrum(session, spectrum_id)


@router.post(
    "/libraries/{name}/spectra",
    status_code=HTTPStatus.CREATED,
    responses={200: {"description": "It was there", "model": Added}, **REFUSALS},
)
def post_library_spectrum(
    name: str,
    wish: NewSpectrum,
    service: ServiceDep,
    viewer: Annotated[Viewer, Depends(require_library_write)],
    response: Response,
) -> Added:
    """Add a spectrum; other numbers under a known name are a new revision, the same ones no-op."""
    with Session(service.engine) as session, session.begin():
        added = library.add(session, library.find(session, name), wish, actor=viewer.actor())
    response.headers["Location"] = f"/api/library-spectra/{added.id}"
    if added.outcome == "unchanged":
        response.status_code = HTTPStatus.OK
    return added


@router.post("/library-spectra/{spectrum_id}/retire", responses=REFUSALS)
def post_retirement(
    spectrum_id: UUID,
    wish: Retirement,
    service: ServiceDep,
    viewer: Annotated[Viewer, Depends(require_spectrum_write)],
) -> SpectrumDetail:
    """Let a spectrum no longer count; it stays on record."""
    with Session(service.engine) as session, session.begin():
        library.retire(session, spectrum_id, actor=viewer.actor(), reason=wish.reason)
        return _spectrum(session, spectrum_id)


def _spectrum(session: Session, spectrum_id: UUID) -> SpectrumDetail:
    found = library.spectrum(session, spectrum_id)
    if found is None:
        raise not_found("library spectrum", spectrum_id)
    return found
