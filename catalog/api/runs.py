"""Runs: what was done to a dataset, and asking for it to be done again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from catalog import queries
from catalog.api.paging import PageQuery
from catalog.api.problems import not_found, responses
from catalog.api.security import ReaderDep, WriterDep
from catalog.api.service import ServiceDep
from catalog.queries import Page, RunDetail, RunFilter, RunSummary
from catalog.runs import request_run

router = APIRouter(tags=["runs"])


class RunRequest(BaseModel):
    """A wish to reduce a dataset again."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "recipe": {"rotation_axis": 295.3},
                    "reason": "the axis looked half a pixel off",
                    "actor": "beamline staff",
                }
            ]
        },
    )

    recipe: dict[str, Any] = Field(
        default={}, description="what differs from the beamline's recipe"
    )
    reason: str = Field(min_length=1, max_length=500, description="why; it stays in the history")
    actor: str = Field(
        default="api",
        min_length=1,
        max_length=100,
        description="who asks; heeded with the installation's token alone, else the token says it",
    )


class RunQuery(RunFilter, PageQuery):
    """Which runs, and which page of them."""


@router.get("/api/runs", responses=responses(HTTPStatus.UNPROCESSABLE_ENTITY))
def list_runs(
    service: ServiceDep, viewer: ReaderDep, query: Annotated[RunQuery, Query()]
) -> Page[RunSummary]:
    """List runs, newest first."""
    with service.snapshot(viewer) as session:
        return queries.list_runs(
            session,
            query,
            cursor=query.cursor,
            limit=query.limit,
            flow_run_url=service.flow_run_url,
        )


@router.get("/api/runs/{run_id}", responses=responses(HTTPStatus.NOT_FOUND))
def get_run(run_id: UUID, service: ServiceDep, viewer: ReaderDep) -> RunDetail:
    """Show a run with its attempts, steps, parameters and verdict."""
    with service.snapshot(viewer) as session:
        detail = queries.run_detail(session, run_id, flow_run_url=service.flow_run_url)
    if detail is None:
        raise not_found("run", run_id)
    return detail


@router.post(
    "/api/datasets/{dataset_id}/runs",
    status_code=HTTPStatus.ACCEPTED,
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ),
)
def post_run(
    dataset_id: UUID, wish: RunRequest, service: ServiceDep, viewer: WriterDep, response: Response
) -> RunDetail:
    """Ask for a dataset to be reduced again; the result is a new version, nothing is lost."""
    with Session(service.engine) as session, session.begin():
        actor = viewer.actor(wish.actor)
        run = request_run(session, dataset_id, wish.recipe, actor=actor, reason=wish.reason)
        session.flush()
        detail = queries.run_detail(session, run.id, flow_run_url=service.flow_run_url)
    if detail is None:
        raise not_found("run", run.id)
    response.headers["Location"] = f"/api/runs/{detail.id}"
    return detail
