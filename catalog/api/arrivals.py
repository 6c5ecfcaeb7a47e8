"""Arrivals: a program of the facility says that data have landed, or are about to."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import Session

from catalog.announce import RefusedPathError, announce
from catalog.api.problems import InvalidField, ProblemError, responses
from catalog.api.security import ReporterDep
from catalog.api.service import ServiceDep
from catalog.plain import to_json

router = APIRouter(tags=["arrivals"])

LARGEST_METADATA = 65_536
TEXT = r"^[^\x00]*$"
"""The database takes no zero bytes."""


class ArrivalReport(BaseModel):
    """What is known of one scan. Only beamline, key and paths are needed.

    Reports are hints: the files decide what the scan is and when it is complete. A report adds
    what they do not say.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "beamline": "bl07",
                    "key": "scan-4711",
                    "paths": ["2026-0117/tooth.h5"],
                    "stage": "finished",
                    "sample": "left tooth",
                }
            ]
        },
    )

    beamline: str = Field(min_length=1, max_length=100, pattern=TEXT)
    key: str = Field(
        min_length=1,
        max_length=200,
        pattern=TEXT,
        description="your own name for the scan: reporting it again under the same key adds to it",
    )
    paths: list[Annotated[str, Field(max_length=4096, pattern=TEXT)]] = Field(
        min_length=1,
        max_length=1000,
        description="files or folders, absolute or below one of the beamline's folders",
    )
    stage: Literal["started", "finished", "aborted"] | None = Field(
        default=None,
        description="started: it is not complete before its end is reported, or nothing has "
        "changed for the beamline's timeout_seconds; aborted: what is not complete is aborted",
    )
    reason: str | None = Field(default=None, max_length=1000, description="why it was aborted")
    uid: str | None = Field(default=None, max_length=200, description="the scan's uid")
    proposal: str | None = Field(default=None, max_length=200)
    visit: str | None = Field(default=None, max_length=200)
    sample: str | None = Field(default=None, max_length=200)
    scan: str | None = Field(default=None, max_length=200, description="the scan's name")
    plan: str | None = Field(default=None, max_length=200, description="kind of measurement")
    expected_frames: int | None = Field(
        default=None, gt=0, description="how many frames there will be, if no file says so"
    )
    started_at: AwareDatetime | None = Field(default=None, description="with its time zone")
    metadata: dict[str, Any] = Field(default={}, description="what else is worth keeping")

    @model_validator(mode="after")
    def _is_no_data(self) -> ArrivalReport:
        if len(to_json(self.metadata)) > LARGEST_METADATA:
            raise ValueError(
                f"metadata may have {LARGEST_METADATA} bytes at most: data go to files"
            )
        return self


class ArrivalAnswer(BaseModel):
    """What became of a report."""

    id: UUID
    created: bool = Field(description="whether its key is new")
    changed: bool = Field(description="whether it said anything new")
    paths: list[str] = Field(description="what will be looked at")


@router.post(
    "/api/arrivals",
    status_code=HTTPStatus.ACCEPTED,
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ),
)
def post_arrival(
    report: ArrivalReport, service: ServiceDep, reporter: ReporterDep
) -> ArrivalAnswer:
    """Report that data have landed or are landing; doing so twice does nothing more."""
    payload = report.model_dump(mode="json", exclude={"beamline", "key", "paths"})
    payload["metadata"] = report.metadata or None
    with Session(service.engine) as session, session.begin():
        try:
            entered, paths = announce(
                session,
                beamline=report.beamline,
                paths=report.paths,
                key=report.key,
                payload=payload,
                actor=reporter.name,
            )
        except RefusedPathError as error:
            where = [InvalidField(where="body.paths", message=str(error))]
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            raise ProblemError(status, str(error), errors=where) from error
    return ArrivalAnswer(
        id=entered.id, created=entered.created, changed=entered.changed, paths=paths
    )
