"""What is seen of a dataset while it grows."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from catalog import live
from catalog.api.problems import not_found, responses
from catalog.api.security import ReaderDep
from catalog.api.service import ServiceDep
from catalog.queries.views import View

router = APIRouter(prefix="/api/datasets", tags=["datasets"])


class LiveViewOut(View):
    """What was seen of the part of a dataset that has come."""

    seen: int = Field(description="images so far", examples=[120])
    planned: int | None = Field(description="images to come in all; null if nobody says")
    figures: dict[str, Any] = Field(description="by name, one number an image")
    note: str
    updated_at: datetime | None
    picture_url: str | None = Field(description="a PNG that grows; null once there is a result")


@router.get("/{dataset_id}/live", responses=responses(HTTPStatus.NOT_FOUND))
def get_live(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> LiveViewOut:
    """Show figures of a dataset while it is still being written."""
    seen = _seen(dataset_id, service, viewer)
    return LiveViewOut(
        seen=seen.seen,
        planned=seen.planned,
        figures=seen.figures,
        note=seen.note,
        updated_at=seen.updated_at,
        picture_url=f"/api/datasets/{dataset_id}/live.png" if seen.picture else None,
    )


@router.get(
    "/{dataset_id}/live.png",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}},
        **responses(HTTPStatus.NOT_FOUND),
    },
)
def get_live_picture(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> Response:
    """Send the picture of a dataset while it is still being written."""
    seen = _seen(dataset_id, service, viewer)
    if seen.picture is None:
        raise not_found("live picture of dataset", dataset_id)
    return Response(
        seen.picture,
        media_type="image/png",
        headers={"Cache-Control": "no-store", "Vary": "Authorization, Cookie"},
    )


def _seen(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> live.Seen:
    with service.snapshot(viewer) as session:
        seen = live.latest(session, dataset_id)
    if seen is None:
        raise not_found("live view of dataset", dataset_id)
    return seen
