"""Reducing many datasets again, and trying a failed run once more."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from catalog import queries, recovery, reprocess
from catalog.access import Viewer, demand_write, is_visible
from catalog.api.problems import not_found, responses
from catalog.api.security import PrincipalDep, StaffDep
from catalog.api.service import ServiceDep
from catalog.models import Run
from catalog.queries import RunDetail
from catalog.reprocess import Wish

router = APIRouter(tags=["runs"])


class ReprocessWish(BaseModel):
    """Which datasets shall be reduced again, with which parameters, and why."""

    model_config = ConfigDict(extra="forbid")

    beamline: str
    since: AwareDatetime | None = Field(default=None, description="taken at this time or later")
    until: AwareDatetime | None = Field(default=None, description="taken before this time")
    technique: str | None = None
    recipe: dict[str, Any] = Field(default={}, description="what differs from the recipe of now")
    reason: str = Field(min_length=1, max_length=500, description="why; it stays in the history")
    request: str = Field(
        default="",
        max_length=100,
        pattern=r"^[^/]*$",
        description="its name: asking twice with one is asking once",
    )
    dry_run: bool = Field(default=False, description="only tell what it comes to")
    actor: str = Field(default="api", min_length=1, max_length=100, description="who asks")


class ReprocessAnswer(BaseModel):
    """What a wish comes to, or came to."""

    request: str
    beamline: str
    dry_run: bool
    datasets: int = Field(description="that get a new version")
    already: int = Field(description="asked for before in this request")
    refused: int = Field(description="that cannot be reduced as they stand")
    seconds: float | None = Field(description="of work one after the other, as past runs tell")
    bytes: int = Field(description="of room beside the versions of now")


class RetryWish(BaseModel):
    """Why a run is tried once more."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=500, description="why; it stays in the history")
    actor: str = Field(default="api", min_length=1, max_length=100, description="who asks")


def require_write_of_run(run_id: UUID, service: ServiceDep, viewer: PrincipalDep) -> Viewer:
    """Let pass who may change the dataset of the run that the path names.

    Raises
    ------
    ProblemError
        404 when there is no such run for them.
    Forbidden
        They may only see it.
    """
    with Session(service.engine) as session:
        run = session.get(Run, run_id)
        if run is None or not is_visible(session, viewer, run.dataset_id):
            raise not_found("run", run_id)
        demand_write(session, viewer, run.dataset_id)
    return viewer


@router.post(
    "/api/reprocess",
    status_code=HTTPStatus.ACCEPTED,
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ),
)
def post_reprocess(
    wish: ReprocessWish, service: ServiceDep, viewer: StaffDep, response: Response
) -> ReprocessAnswer:
    """Reduce many datasets again, behind what lands now; each result is a new version."""
    wanted = Wish(
        beamline=wish.beamline,
        reason=wish.reason,
        since=wish.since,
        until=wish.until,
        technique=wish.technique,
        overrides=wish.recipe,
        request=wish.request,
    )
    with Session(service.engine) as session:
        estimate = reprocess.estimate(session, wanted)
    datasets, refused = estimate.datasets, sum(estimate.refused.values())
    if wish.dry_run:
        response.status_code = HTTPStatus.OK
    else:
        asked = reprocess.reprocess(service.engine, wanted, viewer.actor(wish.actor))
        datasets, refused = asked.new, len(asked.refused)
    return ReprocessAnswer(
        request=wanted.key,
        beamline=wish.beamline,
        dry_run=wish.dry_run,
        datasets=datasets,
        already=estimate.already,
        refused=refused,
        seconds=estimate.seconds,
        bytes=estimate.bytes,
    )


@router.post(
    "/api/runs/{run_id}/retry",
    status_code=HTTPStatus.ACCEPTED,
    responses=responses(
        HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
    ),
)
def post_retry(
    run_id: UUID,
    wish: RetryWish,
    service: ServiceDep,
    viewer: Annotated[Viewer, Depends(require_write_of_run)],
) -> RunDetail:
    """Try a run that failed once more, with all its attempts before it."""
    with Session(service.engine) as session, session.begin():
        recovery.retry(session, run_id, viewer.actor(wish.actor), wish.reason)
        session.flush()
        detail = queries.run_detail(session, run_id, flow_run_url=service.flow_run_url)
    if detail is None:
        raise not_found("run", run_id)
    return detail
