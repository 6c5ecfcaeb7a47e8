"""Holding a beamline's reductions back, and letting them go on."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from catalog import pauses
from catalog.api.problems import responses
from catalog.api.security import OperatorDep, StaffDep
from catalog.api.service import ServiceDep

router = APIRouter(prefix="/api/beamlines", tags=["beamlines"])


class PauseWish(BaseModel):
    """Why a beamline is paused."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="why; shown to all who wait")
    actor: str = Field(default="api", min_length=1, max_length=100, description="who asks")


class PausedView(BaseModel):
    """A beamline that is paused."""

    beamline: str
    since: datetime
    by: str
    reason: str
    waiting: int = Field(description="runs that wait for its end")


@router.get("/paused")
def list_paused(service: ServiceDep, viewer: OperatorDep) -> list[PausedView]:
    """List the beamlines that are paused."""
    with service.snapshot(viewer) as session:
        return [PausedView(**vars(each)) for each in pauses.paused(session)]


@router.post(
    "/{beamline}/pause",
    status_code=HTTPStatus.NO_CONTENT,
    responses=responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
def post_pause(beamline: str, wish: PauseWish, service: ServiceDep, viewer: StaffDep) -> None:
    """Register what lands at a beamline, and reduce nothing of it until it is resumed."""
    with Session(service.engine) as session, session.begin():
        pauses.pause(session, beamline, viewer.actor(wish.actor), wish.reason)


@router.post(
    "/{beamline}/resume",
    status_code=HTTPStatus.NO_CONTENT,
    responses=responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
def post_resume(beamline: str, service: ServiceDep, viewer: StaffDep) -> None:
    """Reduce what has waited at a beamline, and what lands there from now on."""
    with Session(service.engine) as session, session.begin():
        pauses.resume(session, beamline)
