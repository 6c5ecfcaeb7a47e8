"""Runs with their attempts and steps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session, aliased, defer

from catalog.models import Attempt, Dataset, Dispatch, Run, Step
from catalog.queries.filters import RunFilter
from catalog.queries.results import latest_verdicts, quality_figures, results
from catalog.queries.views import AttemptView, Page, RunDetail, RunSummary, StepView
from catalog.states import RunState

FlowRunUrl = Callable[[str], str]
_Row = Row[Run, str, str, str | None, int, str, str | None]

_source = aliased(Dataset)
_derived = aliased(Dataset)


def list_runs(
    session: Session,
    filters: RunFilter | None = None,
    *,
    cursor: UUID | None = None,
    limit: int = 50,
    flow_run_url: FlowRunUrl | None = None,
) -> Page[RunSummary]:
    """List runs, newest first; ``cursor`` is the last run of the page before."""
    wanted = filters or RunFilter()
    statement = _summaries().options(defer(Run.parameters))
    if wanted.state is not None:
        statement = statement.where(Run.state == wanted.state)
    if wanted.flow is not None:
        statement = statement.where(Run.flow == wanted.flow)
    if wanted.beamline is not None:
        statement = statement.where(_source.beamline_id == wanted.beamline)
    if cursor is not None:
        statement = statement.where(Run.id < cursor)
    rows = session.execute(statement.order_by(Run.id.desc()).limit(limit + 1)).all()
    items = [_summary(row, flow_run_url) for row in rows[:limit]]
    return Page[RunSummary](items=items, next_cursor=items[-1].id if len(rows) > limit else None)


def runs_of(
    session: Session, dataset_id: UUID, flow_run_url: FlowRunUrl | None = None
) -> list[RunSummary]:
    """Return all runs of a dataset, newest version first."""
    statement = (
        _summaries()
        .options(defer(Run.parameters))
        .where(Run.dataset_id == dataset_id)
        .order_by(Run.version.desc())
    )
    return [_summary(row, flow_run_url) for row in session.execute(statement)]


def run_detail(
    session: Session, run_id: UUID, *, flow_run_url: FlowRunUrl | None = None
) -> RunDetail | None:
    """Return a run with its attempts, steps, parameters and verdict; None if there is none."""
    row = session.execute(_summaries().where(Run.id == run_id)).first()
    if row is None:
        return None
    run = row[0]
    derived = session.scalars(select(Dataset).where(Dataset.run_id == run_id)).all()
    verdicts = latest_verdicts(session, [dataset.id for dataset in derived])
    attempts = session.scalars(
        select(Attempt).where(Attempt.run_id == run_id).order_by(Attempt.number)
    ).all()
    return RunDetail(
        **_summary(row, flow_run_url).model_dump(),
        parent_run_id=run.parent_id,
        run_key=run.run_key,
        recipe_version=run.recipe_version,
        parameters=run.parameters,
        result=next(iter(results(session, derived)), None),
        quality=[f for record in verdicts.values() for f in quality_figures(record.quality)],
        attempt_list=[_attempt(attempt, flow_run_url) for attempt in attempts],
        steps=_steps(session, run_id),
    )


def _summaries() -> Select[Run, str, str, str | None, int, str, str | None]:
    """Select runs with their dataset, verdict, attempts, newest flow run and what they wait for."""
    attempts = select(func.count()).where(Attempt.run_id == Run.id).correlate(Run).scalar_subquery()
    attempted = (
        select(Attempt.flow_run_id)
        .where(Attempt.run_id == Run.id)
        .order_by(Attempt.number.desc())
        .limit(1)
        .correlate(Run)
        .scalar_subquery()
    )
    dispatched = (
        select(Dispatch.flow_run_id)
        .where(Dispatch.run_id == Run.id)
        .order_by(Dispatch.id.desc())
        .limit(1)
        .correlate(Run)
        .scalar_subquery()
    )
    held_back = (
        select(Dispatch.waits_for)
        .where(Dispatch.run_id == Run.id, Dispatch.sent_at.is_(None))
        .limit(1)
        .correlate(Run)
        .scalar_subquery()
    )
    return (
        select(
            Run,
            _source.name,
            _source.beamline_id,
            _derived.verdict,
            attempts,
            func.coalesce(attempted, dispatched),
            held_back,
        )
        .join(_source, _source.id == Run.dataset_id)
        .outerjoin(_derived, _derived.run_id == Run.id)
    )


def _summary(row: _Row, flow_run_url: FlowRunUrl | None) -> RunSummary:
    run, name, beamline, verdict, attempts, flow_run_id, waits_for = row
    return RunSummary(
        id=run.id,
        dataset_id=run.dataset_id,
        dataset_name=name,
        beamline=beamline,
        flow=run.flow,
        state=run.state,
        version=run.version,
        lane=run.lane,
        actor=run.actor,
        reason=run.reason,
        outcome=run.state_reason,
        waits_for=waits_for if run.state == RunState.WAITING else None,
        verdict=verdict,
        stage=run.stage,
        figures=run.figures,
        attempts=attempts,
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.finished_at,
        seconds=_seconds(run),
        flow_run_id=flow_run_id,
        flow_run_url=flow_run_url(flow_run_id) if flow_run_url and flow_run_id else None,
    )


def _seconds(run: Run) -> float | None:
    if run.started_at is None:
        return None
    return ((run.finished_at or datetime.now(UTC)) - run.started_at).total_seconds()


def _attempt(attempt: Attempt, flow_run_url: FlowRunUrl | None) -> AttemptView:
    return AttemptView(
        id=attempt.id,
        number=attempt.number,
        state=attempt.state,
        host=attempt.host,
        pid=attempt.pid,
        started_at=attempt.claimed_at,
        ended_at=attempt.finished_at,
        heartbeat_at=attempt.heartbeat_at,
        reason=attempt.reason,
        flow_run_id=attempt.flow_run_id,
        flow_run_url=flow_run_url(attempt.flow_run_id) if flow_run_url else None,
        machine=attempt.machine,
    )


def _steps(session: Session, run_id: UUID) -> list[StepView]:
    statement = (
        select(Step, Attempt.number)
        .join(Attempt, Attempt.id == Step.attempt_id)
        .where(Step.run_id == run_id)
        .order_by(Step.id)
    )
    return [
        StepView(
            algorithm=step.algorithm,
            version=step.version,
            implementation=step.implementation,
            device=step.device,
            stage=step.stage,
            attempt=number,
            calls=step.calls,
            seconds=step.seconds,
            parameters=step.parameters,
            packages=step.packages,
            rejected=step.rejected,
        )
        for step, number in session.execute(statement)
    ]
