"""What is known about a dataset: entered as it lands, added to as more is learned."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog import memo, series
from catalog.lifecycle import note
from catalog.models import Dataset, Proposal, Sample, Visit, uuid7
from catalog.samples import SAMPLE_FIELDS
from catalog.sightings import Sighting


def describe(session: Session, dataset: Dataset, sighting: Sighting) -> None:
    """Enter what is known about a dataset by now; what a person has assigned stays."""
    dataset.kind = sighting.kind
    dataset.name = sighting.name
    dataset.technique = sighting.technique
    dataset.rule = sighting.rule
    dataset.format = sighting.format
    dataset.inner_path = sighting.inner_path
    dataset.uid = sighting.uid or sighting.reported_uid
    dataset.detector = sighting.detector
    dataset.needs = list(sighting.needs)
    dataset.meta = dict(sighting.metadata)
    if sighting.started_at is not None:
        dataset.started_at = dataset.taken_at = sighting.started_at
    elif sighting.reported_start is not None:
        dataset.taken_at = sighting.reported_start
    _assign(session, dataset, sighting)


def learn(session: Session, dataset: Dataset, sighting: Sighting) -> list[str]:
    """Add what was not known when a dataset arrived, such as what a report told later.

    Returns
    -------
    list of str
        What is new; an event says so.
    """
    before = _known(dataset)
    dataset.uid = dataset.uid or sighting.uid or sighting.reported_uid
    _assign(session, dataset, sighting)
    new = [name for name, value in _known(dataset).items() if value != before[name]]
    told = {key: value for key, value in sighting.metadata.items() if key not in dataset.meta}
    for key in ("report", "known_from"):
        if key in sighting.metadata and sighting.metadata[key] != dataset.meta.get(key):
            told[key] = sighting.metadata[key]
    if told:
        dataset.meta = {**dataset.meta, **told}
    new += sorted(told)
    if new:
        note(session, dataset, "described", actor=sighting.actor, details={"new": new})
    return new


def _known(dataset: Dataset) -> dict[str, Any]:
    return {
        "uid": dataset.uid,
        "proposal": dataset.proposal_id,
        "visit": dataset.visit_id,
        "sample": dataset.sample_id,
    }


def _assign(session: Session, dataset: Dataset, sighting: Sighting) -> None:
    """Enter proposal, visit and sample as far as there are none yet, and the series by them."""
    if dataset.proposal_id is None and sighting.proposal:
        dataset.proposal_id = proposal_of(session, sighting.proposal)
    if dataset.visit_id is None and dataset.proposal_id and sighting.visit:
        dataset.visit_id = visit_of(session, dataset.proposal_id, sighting.visit)
    if dataset.sample_id is None and sighting.sample:
        sample = sample_of(session, dataset.proposal_id, sighting.sample)
        dataset.sample_id = sample
        fill_sample(session, sample, sighting.sample_fields)
    series.mark(session, dataset, sighting.series)


def proposal_of(session: Session, code: str) -> UUID:
    """Return the proposal with a code; one that is new is entered."""

    def ask() -> UUID:
        session.execute(insert(Proposal).values(id=uuid7(), code=code).on_conflict_do_nothing())
        return session.scalars(select(Proposal.id).where(Proposal.code == code)).one()

    return memo.once(session, ("proposal", code), ask)


def visit_of(session: Session, proposal_id: UUID, code: str) -> UUID:
    """Return the visit of a proposal with a code; one that is new is entered."""

    def ask() -> UUID:
        values = {"id": uuid7(), "proposal_id": proposal_id, "code": code}
        session.execute(insert(Visit).values(**values).on_conflict_do_nothing())
        return session.scalars(
            select(Visit.id).where(Visit.proposal_id == proposal_id, Visit.code == code)
        ).one()

    return memo.once(session, ("visit", proposal_id, code), ask)


def sample_of(session: Session, proposal_id: UUID | None, name: str) -> UUID:
    """Return the sample of a proposal with a name; one that is new is entered."""

    def ask() -> UUID:
        values = {"id": uuid7(), "proposal_id": proposal_id, "name": name}
        session.execute(insert(Sample).values(**values).on_conflict_do_nothing())
        mine = Sample.proposal_id.is_not_distinct_from(proposal_id)
        return session.scalars(select(Sample.id).where(mine, Sample.name == name)).one()

    return memo.once(session, ("sample", proposal_id, name), ask)


def fill_sample(session: Session, sample_id: UUID, fields: Mapping[str, Any]) -> None:
    """Enter what is told about a sample where nothing stands yet."""
    if not fields:
        return
    sample = session.get_one(Sample, sample_id)
    for name in SAMPLE_FIELDS:
        if getattr(sample, name) is None and fields.get(name) is not None:
            setattr(sample, name, fields[name])
