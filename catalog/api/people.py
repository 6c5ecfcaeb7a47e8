"""What people decide and correct: whose data are, what is accepted, what a sample is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import people, quarantine
from catalog.affected import Affected, affected
from catalog.api.problems import responses
from catalog.api.security import ReaderDep, StaffDep, WriterDep
from catalog.api.service import ServiceDep
from catalog.errors import CatalogError
from catalog.models import Dataset, Proposal, Sample
from catalog.people import Assigned, SampleChange
from catalog.quarantine import SET_ASIDE, SetAside
from catalog.states import DatasetState

router = APIRouter(prefix="/api", tags=["people"])
REFUSALS = responses(
    HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
)


class Because(BaseModel):
    """Why a person decides something."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="why; it stays in the history")
    actor: str = Field(default="api", min_length=1, max_length=100, description="who asks")


class Assignment(Because):
    """Whose a dataset is; what is not given stays."""

    proposal: str | None = Field(default=None, max_length=200)
    visit: str | None = Field(default=None, max_length=200)
    sample: str | None = Field(default=None, max_length=200)


class SampleFields(BaseModel):
    """What a sample is described by; null takes a value away, what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    formula: str | None = None
    density: float | None = Field(default=None, description="g/cm³")
    thickness: float | None = Field(default=None, description="mm")
    container: str | None = None
    cell: list[float] | None = Field(
        default=None, description="a, b, c in Å; alpha, beta, gamma in degrees"
    )
    sequence: str | None = None

    def given(self) -> dict[str, Any]:
        """Return what was given."""
        return {name: getattr(self, name) for name in self.model_fields_set if name in FIELDS}


FIELDS = frozenset(SampleFields.model_fields)


class SampleCorrection(Because, SampleFields):
    """A correction of the sample of a dataset."""

    new_name: str | None = Field(default=None, max_length=200, description="its name from now on")


class SampleRow(SampleFields):
    """A correction of one of many samples."""

    sample: str = Field(min_length=1, max_length=200, description="its name")
    proposal: str | None = Field(default=None, max_length=200)
    new_name: str | None = Field(default=None, max_length=200)
    reason: str | None = Field(default=None, max_length=500)


class SampleRows(Because):
    """Corrections of many samples: all are made, or none."""

    rows: list[SampleRow] = Field(min_length=1, max_length=10_000)


class Decided(BaseModel):
    """Where a dataset stands after a decision."""

    dataset_id: UUID
    state: str
    reason: str | None


@router.get("/quarantine")
def list_quarantine(
    service: ServiceDep,
    viewer: ReaderDep,
    beamline: str | None = None,
    every: Annotated[
        bool, Query(description="what is incomplete or aborted as well as what is quarantined")
    ] = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[SetAside]:
    """List what was set aside and waits for a person, the latest first."""
    states = SET_ASIDE if every else (DatasetState.QUARANTINED,)
    with service.snapshot(viewer) as session:
        return quarantine.set_aside(session, beamline=beamline, states=states, limit=limit)


@router.post("/datasets/{dataset_id}/accept", responses=REFUSALS)
def post_accept(
    dataset_id: UUID, because: Because, service: ServiceDep, viewer: WriterDep
) -> Decided:
    """Take a dataset that was set aside as it is: what exists of it is reduced."""
    who = viewer.actor(because.actor)
    with Session(service.engine) as session, session.begin():
        return _decided(quarantine.accept(session, dataset_id, actor=who, reason=because.reason))


@router.post("/datasets/{dataset_id}/release", responses=REFUSALS)
def post_release(
    dataset_id: UUID, because: Because, service: ServiceDep, viewer: WriterDep
) -> Decided:
    """Let a quarantined dataset go on as it is."""
    who = viewer.actor(because.actor)
    with Session(service.engine) as session, session.begin():
        return _decided(quarantine.release(session, dataset_id, actor=who, reason=because.reason))


@router.post("/datasets/{dataset_id}/quarantine", responses=REFUSALS)
def post_quarantine(
    dataset_id: UUID, because: Because, service: ServiceDep, viewer: StaffDep
) -> Decided:
    """Set a dataset aside that is not to be trusted; what was made of it stays."""
    who = viewer.actor(because.actor)
    with Session(service.engine) as session, session.begin():
        return _decided(quarantine.put(session, dataset_id, actor=who, reason=because.reason))


@router.post("/datasets/{dataset_id}/recheck", status_code=HTTPStatus.ACCEPTED, responses=REFUSALS)
def post_recheck(
    dataset_id: UUID, because: Because, service: ServiceDep, viewer: WriterDep
) -> Decided:
    """Have the files of a dataset that was set aside looked at once more."""
    who = viewer.actor(because.actor)
    with Session(service.engine) as session, session.begin():
        return _decided(quarantine.recheck(session, dataset_id, actor=who, reason=because.reason))


@router.post("/datasets/{dataset_id}/assign", responses=REFUSALS)
def post_assign(
    dataset_id: UUID, wish: Assignment, service: ServiceDep, viewer: StaffDep
) -> Assigned:
    """Say to which proposal, visit and sample a dataset and its results belong."""
    with Session(service.engine) as session, session.begin():
        return people.assign(
            session,
            dataset_id,
            proposal=wish.proposal,
            visit=wish.visit,
            sample=wish.sample,
            actor=viewer.actor(wish.actor),
            reason=wish.reason,
        )


@router.post("/datasets/{dataset_id}/sample", responses=REFUSALS)
def post_sample(
    dataset_id: UUID, wish: SampleCorrection, service: ServiceDep, viewer: WriterDep
) -> SampleChange:
    """Correct what is known about a dataset's sample; all data of the sample have the event."""
    with Session(service.engine) as session, session.begin():
        name, proposal = _sample_of(session, dataset_id)
        return people.correct_sample(
            session,
            name=name,
            proposal=proposal,
            fields=wish.given(),
            new_name=wish.new_name,
            actor=viewer.actor(wish.actor),
            reason=wish.reason,
        )


@router.post("/samples", responses=REFUSALS)
def post_samples(wish: SampleRows, service: ServiceDep, viewer: StaffDep) -> list[SampleChange]:
    """Correct many samples, all or none."""
    rows = [row.model_dump(exclude_unset=True) for row in wish.rows]
    with Session(service.engine) as session, session.begin():
        return people.correct_samples(
            session, rows, actor=viewer.actor(wish.actor), reason=wish.reason
        )


@router.post("/samples/csv", responses=REFUSALS)
def post_samples_csv(
    table: Annotated[
        str,
        Body(
            media_type="text/csv",
            description="first line: sample, proposal and the fields to correct",
        ),
    ],
    reason: Annotated[str, Query(min_length=1, max_length=500)],
    service: ServiceDep,
    viewer: StaffDep,
) -> list[SampleChange]:
    """Correct many samples by a table, all or none; empty values say nothing."""
    with Session(service.engine) as session, session.begin():
        rows = people.rows_of_csv(table)
        return people.correct_samples(session, rows, actor=viewer.actor(), reason=reason)


@router.get("/datasets/{dataset_id}/affected", responses=responses(HTTPStatus.NOT_FOUND))
def get_affected(dataset_id: UUID, service: ServiceDep, viewer: ReaderDep) -> Affected:
    """Show which results a calibration touches, and which ones it would if chosen now."""
    with service.snapshot(viewer) as session:
        return affected(session, dataset_id)


def _decided(dataset: Dataset) -> Decided:
    return Decided(dataset_id=dataset.id, state=dataset.state, reason=dataset.state_reason)


def _sample_of(session: Session, dataset_id: UUID) -> tuple[str, str | None]:
    found = session.execute(
        select(Sample.name, Proposal.code)
        .join(Dataset, Dataset.sample_id == Sample.id)
        .outerjoin(Proposal, Proposal.id == Sample.proposal_id)
        .where(Dataset.id == dataset_id)
    ).first()
    if found is None:
        raise CatalogError(f"The sample of dataset {dataset_id} is not known: assign it one first.")
    return found[0], found[1]
