"""Verdicts on results, and a person's over them."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from catalog import verdicts
from catalog.access import is_visible
from catalog.api.problems import not_found, responses
from catalog.api.security import ReaderDep, WriterDep
from catalog.api.service import ServiceDep
from catalog.states import Verdict
from catalog.verdicts import VerdictView

router = APIRouter(prefix="/api/datasets", tags=["verdicts"])


class VerdictWish(BaseModel):
    """A person's verdict."""

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict
    reason: str = Field(min_length=1, max_length=500, description="why; it stays in the history")


@router.get("/{dataset_id}/verdicts", responses=responses(HTTPStatus.NOT_FOUND))
def list_verdicts(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> list[VerdictView]:
    """List the verdicts on a result, newest first; the first one holds."""
    with service.snapshot(viewer) as session:
        if not is_visible(session, viewer, dataset_id):
            raise not_found("dataset", dataset_id)
        return verdicts.verdicts(session, dataset_id)


@router.post(
    "/{dataset_id}/verdicts",
    status_code=HTTPStatus.CREATED,
    responses=responses(
        HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
    ),
)
def post_verdict(
    dataset_id: UUID, wish: VerdictWish, service: ServiceDep, viewer: WriterDep
) -> VerdictView:
    """Overrule the verdict on a result; the one before stays in the history."""
    with Session(service.engine) as session, session.begin():
        return verdicts.overrule(session, viewer, dataset_id, wish.verdict, reason=wish.reason)
