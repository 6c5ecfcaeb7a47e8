"""The list of datasets: keyset pages, newest first, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, defer

from catalog.models import Beamline, Dataset, Proposal, Run, Sample, Visit
from catalog.queries.dataset_ids import dataset_ids
from catalog.queries.filters import DatasetFilter
from catalog.queries.results import current_results, full_name, results
from catalog.queries.views import DatasetSummary, Page, Progress, Result
from catalog.states import DatasetState, Kind

# a dataset with the names of its proposal, visit and sample
Named = Row[Dataset, str, str, str]


def list_datasets(
    session: Session,
    filters: DatasetFilter | None = None,
    *,
    cursor: UUID | None = None,
    limit: int = 50,
) -> Page[DatasetSummary]:
    """List datasets, newest first: as they were registered or, with a time, as they were taken.

    Parameters
    ----------
    filters
        What the datasets must fit.
    cursor
        The last dataset of the page before: keys are ordered in time, and what has landed since
        moves nothing.
    limit
        How many to return at most.
    """
    ids = dataset_ids(session, filters or DatasetFilter(), cursor, limit + 1)
    shown = ids[:limit]
    statement = with_names().options(defer(Dataset.meta)).where(Dataset.id.in_(shown))
    rows = {row[0].id: row for row in session.execute(statement)} if shown else {}
    items = summaries(session, [rows[key] for key in shown])
    return Page[DatasetSummary](items=items, next_cursor=shown[-1] if len(ids) > limit else None)


def choices(session: Session) -> dict[str, list[str]]:
    """Return what a person may choose from when searching."""
    rows = session.execute(select(Beamline.id, Beamline.technique).order_by(Beamline.id))
    beamlines = dict(rows.all())
    return {
        "beamline": list(beamlines),
        "technique": sorted(set(beamlines.values())),
        "state": [str(state) for state in DatasetState],
    }


def with_names() -> Select[Dataset, str, str, str]:
    """Select datasets with the names of their proposal, visit and sample."""
    return (
        select(Dataset, Proposal.code, Visit.code, Sample.name)
        .outerjoin(Proposal, Proposal.id == Dataset.proposal_id)
        .outerjoin(Visit, Visit.id == Dataset.visit_id)
        .outerjoin(Sample, Sample.id == Dataset.sample_id)
        .options(defer(Dataset.search_text), defer(Dataset.search_pairs))
    )


def summaries(session: Session, rows: Collection[Named]) -> list[DatasetSummary]:
    """Complete rows with their current result and latest run."""
    ids = [dataset.id for dataset, *_ in rows]
    found = current_results(session, ids) | _own_results(session, rows)
    progress = _latest_runs(session, ids)
    return [
        DatasetSummary(
            id=dataset.id,
            name=full_name(dataset.name, dataset.version),
            kind=dataset.kind,
            state=dataset.state,
            reason=dataset.state_reason,
            beamline=dataset.beamline_id,
            technique=dataset.technique,
            proposal=proposal,
            visit=visit,
            sample=sample,
            taken_at=dataset.taken_at,
            registered_at=dataset.created_at,
            result=found.get(dataset.id),
            run=progress.get(dataset.id),
        )
        for dataset, proposal, visit, sample in rows
    ]


def _own_results(session: Session, rows: Collection[Named]) -> dict[UUID, Result]:
    """Return derived datasets as their own results, for their verdict and pictures."""
    derived = [dataset for dataset, *_ in rows if dataset.kind == Kind.DERIVED]
    return {result.dataset_id: result for result in results(session, derived)} if derived else {}


def _latest_runs(session: Session, ids: Collection[UUID]) -> dict[UUID, Progress]:
    statement = (
        select(Run)
        .ext(distinct_on(Run.dataset_id))
        .where(Run.dataset_id.in_(ids))
        .order_by(Run.dataset_id, Run.version.desc())
        .options(defer(Run.parameters))
    )
    return {
        run.dataset_id: Progress(
            run_id=run.id,
            state=run.state,
            stage=run.stage,
            figures=run.figures,
            reason=run.state_reason,
        )
        for run in session.scalars(statement)
    }
