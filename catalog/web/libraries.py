"""The pages of spectral libraries: which there are, their spectra, and one with its plot."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from catalog import library
from catalog.api.problems import not_found
from catalog.api.security import ReaderDep
from catalog.api.service import ServiceDep
from catalog.library import SpectrumFilter
from catalog.web.pages import PAGE, Search
from catalog.web.spectrum_svg import draw
from catalog.web.templating import page

router = APIRouter()


class SpectrumSearch(Search):
    """The search of the page of a library."""

    element: str | None = None
    edge: str | None = None
    text: str | None = None

    def filters(self) -> SpectrumFilter:
        """Return the search in the catalogue's words."""
        return SpectrumFilter(**self.model_dump(exclude={"cursor"}))


@router.get("/libraries")
def libraries_page(request: Request, service: ServiceDep, viewer: ReaderDep) -> HTMLResponse:
    """Show which libraries there are."""
    with service.snapshot(viewer) as session:
        found = library.list_libraries(session)
    return page(request, "libraries.html", libraries=found)


@router.get("/libraries/{name}")
def library_page(
    request: Request,
    name: str,
    service: ServiceDep,
    viewer: ReaderDep,
    query: Annotated[SpectrumSearch, Query()],
) -> HTMLResponse:
    """Show the spectra of a library."""
    with service.snapshot(viewer) as session:
        found = library.list_spectra(
            session, name, query.filters(), cursor=query.cursor, limit=PAGE
        )
    return page(request, "library.html", name=name, page=found, query=query)


@router.get("/library-spectra/{spectrum_id}")
def spectrum_page(
    request: Request, spectrum_id: UUID, service: ServiceDep, viewer: ReaderDep
) -> HTMLResponse:
    """Show a spectrum: what is known about it, and its plot."""
    with service.snapshot(viewer) as session:
        found = library.spectrum(session, spectrum_id)
    if found is None:
        raise not_found("library spectrum", spectrum_id)
    return page(request, "spectrum.html", spectrum=found, plot=draw(found.energy, found.mu))
