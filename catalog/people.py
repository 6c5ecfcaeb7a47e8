"""What people tell about data: whose they are, and of what sample. Each correction is an event."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from catalog import recipes, series
from catalog.connection import LOCK
from catalog.describing import proposal_of, sample_of, visit_of
from catalog.errors import CatalogError, NotFound
from catalog.going_on import one_after_the_other
from catalog.lifecycle import note
from catalog.models import Beamline, Dataset, LifecycleEvent, Proposal, Sample, Visit, uuid7
from catalog.samples import SAMPLE_FIELDS, checked_fields
from catalog.states import Kind


class Assigned(BaseModel):
    """Whose a dataset was before, and whose it is now; ``results`` went with it."""

    dataset_id: UUID
    name: str
    before: dict[str, str | None]
    after: dict[str, str | None]
    results: int


class SampleChange(BaseModel):
    """What was corrected about a sample; ``datasets`` of it have the event."""

    sample_id: UUID
    name: str
    proposal: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    datasets: int


def assign(
    session: Session,
    dataset_id: UUID,
    *,
    actor: str,
    reason: str,
    proposal: str | None = None,
    visit: str | None = None,
    sample: str | None = None,
) -> Assigned:
    """Say whose a dataset is. Its results go with it; folders that they lie in stay.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    dataset_id : UUID
        A raw or calibration dataset.
    actor, reason : str
        Who says so, and why.
    proposal, visit, sample : str, optional
        What is given is entered; a new proposal, visit or sample is made. With another proposal, a
        visit that is not given is unknown, and the sample is the one of that name there.

    Raises
    ------
    NotFound
        There is no such dataset.
    CatalogError
        Nothing is given, a visit without a proposal, or the dataset is a result or a series.
    """
    dataset, beamline = _locked(session, dataset_id)
    if dataset.is_series:
        raise CatalogError(
            f"{dataset.name} belongs to whom its scans belong: assign its scans, and they go to "
            "the series of their proposal."
        )
    if dataset.kind == Kind.DERIVED:
        raise CatalogError(
            f"{dataset.name} is a result, which belongs to whom its data belong: assign "
            f"{dataset.source_id}."
        )
    wanted = {"proposal": proposal, "visit": visit, "sample": sample}
    if not any(value and value.strip() for value in wanted.values()):
        raise CatalogError("Nothing is given to assign: give a proposal, a visit or a sample.")
    before = _whose(session, dataset)
    _move_to(session, dataset, *((value and value.strip()) or None for value in wanted.values()))
    session.flush()
    after = _whose(session, dataset)
    results = _results(session, dataset)
    if before != after:
        for each in (dataset, *results):
            each.proposal_id = dataset.proposal_id
            each.visit_id, each.sample_id = dataset.visit_id, dataset.sample_id
            details = {"before": before, "after": after}
            note(session, each, "assigned", actor=actor, reason=reason, details=details)
        series.mark_anew(session, dataset)
        series.join(session, beamline, [dataset])
        session.flush()
        series.tell(session, dataset)
    return Assigned(
        dataset_id=dataset.id, name=dataset.name, before=before, after=after, results=len(results)
    )


def correct_sample(
    session: Session,
    *,
    name: str,
    proposal: str | None,
    fields: Mapping[str, Any],
    actor: str,
    reason: str,
    new_name: str | None = None,
) -> SampleChange:
    """Correct what is known about a sample; all of its datasets have the event.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    name, proposal : str
        Which sample; one that is new is made. Without a proposal, it is an unassigned one.
    fields : mapping
        As `catalog.samples.checked_fields` takes them; None takes a value away.
    actor, reason : str
        Who says so, and why.
    new_name : str, optional
        What it is called from now on.

    Raises
    ------
    NotFound
        There is no such proposal.
    CatalogError
        A field is not allowed, or the new name is taken.
    """
    checked = checked_fields(fields)
    owner = _proposal(session, proposal)
    sample = session.get_one(Sample, sample_of(session, owner, name.strip()), with_for_update=LOCK)
    before = {field: getattr(sample, field) for field in checked}
    for field, value in checked.items():
        setattr(sample, field, value)
    if new_name and new_name != sample.name:
        _check_free(session, owner, new_name)
        before["name"], checked["name"], sample.name = sample.name, new_name, new_name
    changed = [field for field in checked if before[field] != checked[field]]
    old, new = ({field: each[field] for field in changed} for each in (before, checked))
    count = _note_on_all(session, sample, actor, reason, {"before": old, "after": new})
    return SampleChange(
        sample_id=sample.id,
        name=sample.name,
        proposal=proposal,
        before=old,
        after=new,
        datasets=count if changed else 0,
    )


def rows_of_csv(text: str) -> list[dict[str, str]]:
    """Read rows for `correct_samples` from a table with commas, semicolons or tabs.

    Raises
    ------
    CatalogError
        Its first line does not name a column ``sample``, or a line has too many values.
    """
    text = text.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = [(name or "").strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    if "sample" not in columns:
        raise CatalogError(
            f"The first line must name the columns, 'sample' among them; it is {first.strip()!r}."
        )
    rows = list(reader)
    if any(None in row for row in rows):
        raise CatalogError("A line has more values than the first line names columns.")
    return [{name: (value or "").strip() for name, value in row.items()} for row in rows]


def correct_samples(
    session: Session, rows: Sequence[Mapping[str, Any]], *, actor: str, reason: str
) -> list[SampleChange]:
    """Correct many samples, all or none.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits, or rolls back when this raises.
    rows : sequence of mappings
        Each with ``sample`` (its name), ``proposal``, and any fields; empty texts say nothing.
        ``new_name`` renames it.
    actor, reason : str
        Who says so, and why; a row's own ``reason`` wins.

    Raises
    ------
    CatalogError
        One sentence for each row that cannot be entered.
    """
    changes: list[SampleChange] = []
    mistakes: list[str] = []
    for number, row in enumerate(rows, 1):
        given = {key: value for key, value in row.items() if value not in (None, "")}
        name = given.pop("sample", None)
        proposal, new_name = given.pop("proposal", None), given.pop("new_name", None)
        why = given.pop("reason", reason)
        try:
            if not name or not isinstance(name, str):
                raise CatalogError("it has no 'sample'")
            changes.append(
                correct_sample(
                    session,
                    name=name,
                    proposal=proposal,
                    fields=given,
                    actor=actor,
                    reason=why,
                    new_name=new_name,
                )
            )
        except CatalogError as error:
            mistakes.append(f"Row {number} ({name or 'without a name'}): {error}")
    if mistakes:
        raise CatalogError("Nothing was changed. " + " ".join(mistakes))
    return changes


# -- rows -----------------------------------------------------------------------------------


def _locked(session: Session, dataset_id: UUID) -> tuple[Dataset, Beamline]:
    """Lock a dataset as an arrival of its beamline would: it may go to another series."""
    found = session.get(Dataset, dataset_id)
    if found is None:
        raise NotFound(f"No dataset {dataset_id}.")
    beamline = recipes.beamline_of(session, found.beamline_id)
    one_after_the_other(session, beamline)
    session.refresh(found, with_for_update=LOCK)
    return found, beamline


def _move_to(
    session: Session, dataset: Dataset, proposal: str | None, visit: str | None, sample: str | None
) -> None:
    is_other = False
    if proposal:
        owner = proposal_of(session, proposal)
        is_other, dataset.proposal_id = owner != dataset.proposal_id, owner
    if visit:
        if dataset.proposal_id is None:
            raise CatalogError(f"A visit belongs to a proposal: give the one of {visit!r} too.")
        dataset.visit_id = visit_of(session, dataset.proposal_id, visit)
    elif is_other:
        dataset.visit_id = None
    if sample:
        dataset.sample_id = sample_of(session, dataset.proposal_id, sample)
    elif is_other and dataset.sample_id is not None:
        dataset.sample_id = _same_sample(session, dataset.sample_id, dataset.proposal_id)


def _same_sample(session: Session, sample_id: UUID, proposal_id: UUID | None) -> UUID:
    """Return the sample of this name in another proposal, with what is known about it."""
    known = session.get_one(Sample, sample_id)
    there = session.get_one(Sample, sample_of(session, proposal_id, known.name))
    for field in SAMPLE_FIELDS:
        if getattr(there, field) is None:
            setattr(there, field, getattr(known, field))
    return there.id


def _whose(session: Session, dataset: Dataset) -> dict[str, str | None]:
    proposal = session.get(Proposal, dataset.proposal_id) if dataset.proposal_id else None
    visit = session.get(Visit, dataset.visit_id) if dataset.visit_id else None
    sample = session.get(Sample, dataset.sample_id) if dataset.sample_id else None
    return {
        "proposal": proposal.code if proposal else None,
        "visit": visit.code if visit else None,
        "sample": sample.name if sample else None,
    }


def _results(session: Session, dataset: Dataset) -> Sequence[Dataset]:
    results = select(Dataset).where(Dataset.source_id == dataset.id).order_by(Dataset.version)
    return session.scalars(results.with_for_update(key_share=True)).all()


def _proposal(session: Session, code: str | None) -> UUID | None:
    if not code:
        return None
    found = session.scalar(select(Proposal.id).where(Proposal.code == code))
    if found is None:
        raise NotFound(
            f"No proposal {code!r}: `dayseye assign` makes one, or the first data of it."
        )
    return found


def _check_free(session: Session, proposal_id: UUID | None, name: str) -> None:
    mine = Sample.proposal_id.is_not_distinct_from(proposal_id)
    if session.scalar(select(Sample.id).where(mine, Sample.name == name)) is not None:
        raise CatalogError(f"There is a sample called {name!r} already.")


def _note_on_all(
    session: Session, sample: Sample, actor: str, reason: str, details: dict[str, Any]
) -> int:
    """Write the event on each dataset of a sample."""
    session.flush()
    datasets = session.scalars(select(Dataset.id).where(Dataset.sample_id == sample.id)).all()
    about = {
        "event": "sample_corrected",
        "actor": actor,
        "reason": reason,
        "details": {**details, "sample": str(sample.id)},
    }
    if datasets and details["before"] != details["after"]:
        rows = [{"id": uuid7(), "dataset_id": dataset, **about} for dataset in datasets]
        session.execute(insert(LifecycleEvent), rows)
    return len(datasets)
