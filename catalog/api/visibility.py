"""Who else may see a dataset."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from catalog.access import visibility
from catalog.access.visibility import Visibility, VisibilityChange
from catalog.api.problems import responses
from catalog.api.security import WriterDep
from catalog.api.service import ServiceDep

router = APIRouter(prefix="/api/datasets", tags=["access"])


class VisibilityWish(BaseModel):
    """What a dataset's visibility shall be."""

    model_config = ConfigDict(extra="forbid")

    visibility: Visibility
    until: AwareDatetime | None = Field(default=None, description="end of the embargo")
    with_results: bool = Field(default=False, description="its results as well")
    reason: str = Field(min_length=1, max_length=500, description="why; it stays in the history")


@router.post(
    "/{dataset_id}/visibility",
    responses=responses(
        HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
    ),
)
def post_visibility(
    dataset_id: UUID, wish: VisibilityWish, service: ServiceDep, viewer: WriterDep
) -> list[VisibilityChange]:
    """Embargo a dataset until a date, publish it, or mark it proprietary."""
    with Session(service.engine) as session, session.begin():
        return visibility.change(
            session,
            viewer,
            dataset_id,
            wish.visibility,
            reason=wish.reason,
            until=wish.until,
            with_results=wish.with_results,
        )
