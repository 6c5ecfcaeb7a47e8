"""Copies and holds of a dataset. Verifying and purging are for the command line alone."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from catalog import custody
from catalog.api.problems import ProblemError, responses
from catalog.api.security import ReaderDep, StaffDep, WriterDep
from catalog.api.service import ServiceDep
from catalog.custody.views import Custody

router = APIRouter(prefix="/api/datasets/{dataset_id}", tags=["custody"])
CHANGES = responses(
    HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
)


class HoldWish(BaseModel):
    """Why a dataset must stay, or need not any longer."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="why; it stays in the history")


@router.get("/custody", responses=responses(HTTPStatus.NOT_FOUND))
def get_custody(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> Custody:
    """Show where copies of a dataset lie, how they are, and who holds it."""
    with service.snapshot(viewer) as session:
        return custody.custody(session, dataset_id)


@router.post("/copies", status_code=HTTPStatus.ACCEPTED, responses=CHANGES)
def post_copy(dataset_id: UUID, service: ServiceDep, viewer: StaffDep) -> Custody:
    """Ask for a copy in the archive; it is made in the background, once."""
    if not service.archive_place:
        raise ProblemError(
            HTTPStatus.CONFLICT, "This platform has no place for copies: set archive.place"
        )
    with Session(service.engine) as session, session.begin():
        custody.ask_for_copy(session, dataset_id, service.archive_place, actor=viewer.actor())
        session.flush()
        return custody.custody(session, dataset_id)


@router.post("/holds", status_code=HTTPStatus.CREATED, responses=CHANGES)
def post_hold(dataset_id: UUID, wish: HoldWish, service: ServiceDep, viewer: WriterDep) -> Custody:
    """Keep a dataset from being purged until it is released."""
    with Session(service.engine) as session, session.begin():
        custody.hold(session, dataset_id, actor=viewer.actor(), reason=wish.reason)
        session.flush()
        return custody.custody(session, dataset_id)


@router.post("/holds/release", responses=CHANGES)
def post_release(
    dataset_id: UUID, wish: HoldWish, service: ServiceDep, viewer: WriterDep
) -> Custody:
    """End the holds of a dataset."""
    with Session(service.engine) as session, session.begin():
        custody.release(session, dataset_id, actor=viewer.actor(), reason=wish.reason)
        session.flush()
        return custody.custody(session, dataset_id)
