"""The web application: the API and the pages over one catalogue."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from catalog.access import AnonymousMode
from catalog.api import (
    access,
    arrivals,
    custody,
    datasets,
    files,
    health,
    library,
    live,
    metrics,
    openapi,
    pauses,
    people,
    problems,
    provenance,
    reprocess,
    runs,
    verdicts,
    visibility,
)
from catalog.api.metrics import Latency
from catalog.api.security import Guard
from catalog.api.service import Service
from catalog.custody.place import address_of

DESCRIPTION = """\
What landed at the beamlines, what it was reduced to, and how.

Lists are pages by key: pass `next_cursor` back as `cursor`. Times are UTC. Errors are problem
details (RFC 9457). A token says who asks, and so what is shown: data of proposals that were granted
to them, and what is public; the rest is not there (404). Every change needs a token.
"""


def create_app(
    engine: Engine,
    *,
    public_url: str,
    prefect_ui_url: str,
    token: str,
    anonymous: AnonymousMode = "public",
    archive_place: str | None = None,
) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    engine
        The catalogue, in the application's role.
    public_url
        The address under which people reach this service; its host name is answered for.
    prefect_ui_url
        The address of the Prefect UI, for links; empty when there is none.
    token
        The installation's own, which may do everything. Never empty.
    anonymous
        What is shown to who shows no token: all, what is public, or nothing.
    archive_place
        Where copies go, if they go anywhere.

    Raises
    ------
    ValueError
        When the token is empty: everybody could then ask for runs.
    """
    if not token:
        raise ValueError("the API needs a token that is not empty")
    app = FastAPI(
        title="Dayseye",
        summary="Hands-off data reduction at light sources",
        description=DESCRIPTION,
        version=version("dayseye"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        license_info={"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
    )
    app.state.service = Service(
        engine,
        public_url.rstrip("/"),
        prefect_ui_url.rstrip("/"),
        token,
        anonymous,
        address_of(archive_place) if archive_place else None,
    )
    app.state.latencies = CollectorRegistry()
    for part in (
        arrivals,
        datasets,
        custody,
        files,
        live,
        runs,
        reprocess,
        pauses,
        people,
        provenance,
        verdicts,
        visibility,
        library,
        access,
        health,
        metrics,
    ):
        app.include_router(part.router)
    _add_pages(app)
    problems.install(app)
    openapi.install(app)
    app.add_middleware(Guard, public_url=public_url)
    app.add_middleware(Latency, registry=app.state.latencies)
    return app


def _add_pages(app: FastAPI) -> None:
    from catalog.web import libraries, login, pages  # web stands on api: only this place knows both

    app.include_router(login.router, include_in_schema=False)
    app.include_router(pages.router, include_in_schema=False)
    app.include_router(libraries.router, include_in_schema=False)
    app.mount("/static", pages.static)
