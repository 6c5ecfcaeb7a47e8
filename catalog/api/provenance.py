"""Where results come from: history, and exports for the outside."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from catalog import queries
from catalog.api.problems import not_found, responses
from catalog.api.security import ReaderDep
from catalog.api.service import ServiceDep
from catalog.queries.views import EventView

router = APIRouter(prefix="/api/datasets", tags=["provenance"])


@router.get("/{dataset_id}/history", responses=responses(HTTPStatus.NOT_FOUND))
def get_history(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> list[EventView]:
    """Show what happened to a dataset and to its runs, oldest first."""
    with service.snapshot(viewer) as session:
        events = queries.history(session, dataset_id)
    if not events:
        raise not_found("dataset", dataset_id)
    return events


@router.get(
    "/{dataset_id}/crate",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}, **responses(HTTPStatus.NOT_FOUND)},
)
def get_crate(
    dataset_id: UUID, service: ServiceDep, viewer: ReaderDep, files: bool = False
) -> Response:
    """Send a result as Workflow Run RO-Crate, with its pictures, or with all of its files."""
    from catalog.provenance import build_crate, facts_of, zipped_crate

    with service.snapshot(viewer) as session:
        facts = facts_of(session, dataset_id)
        if facts is None:
            raise not_found("result of dataset", dataset_id)
        crate = build_crate(facts, service.public_url, with_files=files)
        name = f"{facts.result.dataset.id}.crate.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(zipped_crate(crate), media_type="application/zip", headers=headers)


@router.get(
    "/{dataset_id}/prov",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}}, **responses(HTTPStatus.NOT_FOUND)},
)
def get_prov(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> Response:
    """Send how a result came to be as PROV-JSON."""
    from catalog.provenance import facts_of, prov_json

    with service.snapshot(viewer) as session:
        facts = facts_of(session, dataset_id)
        if facts is None:
            raise not_found("result of dataset", dataset_id)
        text = prov_json(facts, service.public_url)
    return Response(text, media_type="application/json")
