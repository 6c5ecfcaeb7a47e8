"""How a dataset that has arrived goes on: to its run, to its wait, or to those that waited for it.

Arrivals of a beamline, and calibrations that runs make, are entered one after the other.
"""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog import calibrations, memo, recipes, recovery, series
from catalog.lifecycle import move
from catalog.models import Beamline, Dataset
from catalog.runs.opening import open_run
from catalog.states import DatasetState, Kind, Lane, RunState


def one_after_the_other(session: Session, beamline: Beamline) -> None:
    """Wait until no other transaction enters arrivals of a beamline, and keep others waiting."""

    def lock() -> bool:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(beamline.id, 0))))
        return True

    memo.once(session, ("one after the other", beamline.id), lock)


def go_on(session: Session, dataset: Dataset, beamline: Beamline, actor: str) -> None:
    """Take an acquired dataset on: to its run, to its wait, or to those that waited for it."""
    if dataset.kind == Kind.CALIBRATION:
        move(session, dataset, DatasetState.VALIDATED, actor=actor)
        for each in (dataset, *calibrations.made_of(session, dataset)):
            serve(session, each, beamline, actor)
        reduce(session, dataset, actor)
        return
    missing = calibrations.link(session, dataset, beamline)
    if missing:
        if dataset.state != DatasetState.WAITING_FOR_CALIBRATION:
            waiting = DatasetState.WAITING_FOR_CALIBRATION
            move(session, dataset, waiting, actor=actor, reason=_wait(dataset, beamline, missing))
        return
    move(session, dataset, DatasetState.VALIDATED, actor=actor)
    reduce(session, dataset, actor)


def serve(session: Session, calibration: Dataset, beamline: Beamline, actor: str) -> None:
    """Let those go on that waited for a calibration, which is validated by now."""
    for waiting in calibrations.waiting_for(session, calibration):
        go_on(session, waiting, beamline, actor)


def reduce(session: Session, dataset: Dataset, actor: str) -> None:
    """Open the run of a dataset; one that failed, before it was looked at again, is retried."""
    if dataset.is_series:
        series.tell_series(session, dataset.id)
        return
    beamline = recipes.beamline_of(session, dataset.beamline_id)
    kind = calibrations.reduced_as(session, beamline, dataset)
    has_flow = kind or recipes.flow_name(beamline, dataset.rule) is not None
    if not has_flow or (dataset.kind == Kind.CALIBRATION and not kind):
        return
    parameters = recipes.effective_parameters(
        session, beamline.id, {}, dataset.rule, calibration=kind
    )
    reason = f"a {kind} that is complete" if kind else "complete, with its calibrations"
    run = open_run(
        session, dataset, parameters=parameters, actor=actor, reason=reason, lane=Lane.LIVE
    )
    if run.state in (RunState.FAILED, RunState.CANCELLED):
        recovery.retry(session, run.id, actor, "its dataset was looked at again")


def _wait(dataset: Dataset, beamline: Beamline, missing: Sequence[str]) -> str:
    ages = {calibrations.rule_for(beamline, words.split()[0])[1] for words in missing}
    hours = " or ".join(f"{age.total_seconds() / 3600:g}" for age in sorted(ages))
    detector = f" for detector {dataset.detector}" if dataset.detector else ""
    return (
        f"No {' and no '.join(missing)}{detector} within {hours} h of this scan: it goes on when "
        "one lands."
    )
