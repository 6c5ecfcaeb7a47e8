"""How a run ends: completed, failed or cancelled, each in one transaction behind the fence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from catalog import going_on, recipes, series
from catalog.connection import LOCK
from catalog.errors import NotFound
from catalog.lifecycle import move, note
from catalog.models import (
    Attempt,
    Beamline,
    Calibration,
    Dataset,
    DatasetFile,
    Lineage,
    Run,
    Storage,
    VerdictRecord,
)
from catalog.runs.claiming import Claim
from catalog.runs.progress import fenced
from catalog.states import AttemptState, DatasetState, Kind, RunState


@dataclass(frozen=True)
class MadeCalibration:
    """What a result serves as if it is itself a calibration, and the format of its file.

    The file's role among the outputs must be the kind. Detector, energy and validity are those of
    the data that it was made of, and so is the time from which its age counts.
    """

    kind: str
    format: str
    energy_kev: float | None = None


@dataclass(frozen=True)
class OutputFile:
    """A file in the output folder, by its path in it; ``digest`` is that of the whole content."""

    path: str
    role: str
    size: int
    digest: str
    media_type: str
    digest_algorithm: str = "sha256"


def complete(
    engine: Engine,
    claim: Claim,
    *,
    outputs: Sequence[OutputFile],
    publish: Callable[[], None],
    verdict: str,
    reasons: Sequence[str | dict[str, str]],
    quality: dict[str, Any],
    metadata: dict[str, Any],
    rules_version: str | None = None,
    calibration: MadeCalibration | None = None,
) -> UUID:
    """Publish and enter a result in one transaction, while no other attempt can.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    claim : Claim
        The attempt.
    outputs : sequence of OutputFile
        The files as they lie in ``claim.output_folder`` after ``publish``.
    publish : callable
        Renames the attempt's folder to ``claim.output_folder``. It is called with the run locked
        and the fence checked; if it raises, nothing is entered. It must replace a folder that
        stands there already: a crash before the commit left it, and no row knows it.
    verdict : str
        ``ok``, ``check`` or ``bad``.
    reasons : sequence of str or dict
        Sentences for the verdict, or ``{"rule": ..., "reason": ...}``.
    quality : dict
        The figures behind it.
    metadata : dict
        What is told about the result itself (shape, units, voxel size ...).
    rules_version : str, optional
        Of the rules that the verdict follows.
    calibration : MadeCalibration, optional
        What the result serves other datasets as; those that wait for one go on.

    Returns
    -------
    UUID
        The derived dataset. A call that is repeated after its commit returns the same one.

    Raises
    ------
    Fenced
        A newer attempt holds the run, or it was ended.
    """
    with Session(engine) as session, session.begin():
        if calibration is not None:  # before the run is locked, as arrivals do
            beamline = recipes.beamline_of(session, claim.beamline)
            going_on.one_after_the_other(session, beamline)
        run, attempt = _locked(session, claim)
        if attempt.state == AttemptState.COMPLETED:
            return session.scalars(select(Dataset.id).where(Dataset.run_id == run.id)).one()
        if not _holds(run, attempt, claim):
            raise fenced(session, claim)
        publish()
        derived = _enter_derived(session, run, metadata)
        _enter_outputs(session, derived, claim, outputs)
        session.add(
            Lineage(run_id=run.id, dataset_id=derived.id, direction="output", role="result")
        )
        move(session, derived, DatasetState.VALIDATED, actor="flow")
        session.add(
            VerdictRecord(
                dataset_id=derived.id,
                verdict=verdict,
                reasons=list(reasons),
                quality=quality,
                rules_version=rules_version,
                actor="flow",
            )
        )
        _end_attempt(run, attempt, AttemptState.COMPLETED, None)
        move(session, run, RunState.COMPLETED, actor="flow", details={"verdict": verdict})
        if calibration is not None:
            _serve(session, derived, calibration)
        series.tell(session, derived)  # last: it holds up the other scans of the series
        return derived.id


def fail(engine: Engine, claim: Claim, reason: str, quarantine: bool = False) -> bool:
    """End a run as failed; with ``quarantine`` the data are at fault, and the dataset goes there.

    A dataset that has a good result keeps its state: a rerun that fails says nothing about it. So
    does a series, which has no data of its own and will have other scans.

    Returns
    -------
    bool
        False if a newer attempt holds the run, which this one's failure does not concern.
    """
    with Session(engine) as session, session.begin():
        run, attempt = _locked(session, claim)
        if not _holds(run, attempt, claim):
            return False
        _end_attempt(run, attempt, AttemptState.FAILED, reason)
        move(session, run, RunState.FAILED, actor="flow", reason=reason)
        if quarantine:
            _quarantine(session, run, reason)
        return True


def give_back(engine: Engine, claim: Claim, reason: str) -> bool:
    """Give a run back that cannot go on now and may succeed later; it is retried, or given up.

    Returns
    -------
    bool
        False if a newer attempt holds the run, or it was ended.
    """
    with Session(engine) as session, session.begin():
        run, attempt = _locked(session, claim)
        if not _holds(run, attempt, claim):
            return False
        attempt.state = AttemptState.LOST
        attempt.reason = reason
        attempt.finished_at = func.clock_timestamp()
        note(session, run, "given_back", actor="flow", reason=reason)
        return True


def cancel(engine: Engine, claim: Claim, reason: str) -> bool:
    """End a run as cancelled by the flow itself.

    Returns
    -------
    bool
        False if a newer attempt holds the run.
    """
    with Session(engine) as session, session.begin():
        run, attempt = _locked(session, claim)
        if not _holds(run, attempt, claim):
            return False
        cancel_run(session, run.id, actor="flow", reason=reason)
        return True


def cancel_run(session: Session, run_id: UUID, *, actor: str, reason: str) -> bool:
    """Cancel a waiting or running run from outside; its attempt meets the fence.

    Returns
    -------
    bool
        False if it had ended already.

    Raises
    ------
    NotFound
        There is no such run.
    """
    run = session.get(Run, run_id, with_for_update=LOCK)
    if run is None:
        raise NotFound(f"No run {run_id}.")
    if run.state not in (RunState.WAITING, RunState.RUNNING):
        return False
    for attempt in session.scalars(
        select(Attempt).where(Attempt.run_id == run.id, Attempt.state == AttemptState.RUNNING)
    ):
        _end_attempt(run, attempt, AttemptState.CANCELLED, reason)
    run.finished_at = func.now()
    move(session, run, RunState.CANCELLED, actor=actor, reason=reason)
    return True


# -- the fence ------------------------------------------------------------------------------


def _locked(session: Session, claim: Claim) -> tuple[Run, Attempt]:
    """Lock a run, then its attempt, so that nobody can overtake before the commit."""
    run = session.get_one(Run, claim.run_id, with_for_update=LOCK)
    return run, session.get_one(Attempt, claim.attempt_id, with_for_update=LOCK)


def _holds(run: Run, attempt: Attempt, claim: Claim) -> bool:
    return (
        run.token == claim.token
        and run.state == RunState.RUNNING
        and attempt.state == AttemptState.RUNNING
    )


def _end_attempt(run: Run, attempt: Attempt, state: AttemptState, reason: str | None) -> None:
    attempt.state = state
    attempt.reason = reason
    attempt.finished_at = run.finished_at = func.clock_timestamp()


def _quarantine(session: Session, run: Run, reason: str) -> None:
    dataset = session.get_one(Dataset, run.dataset_id, with_for_update=LOCK)
    good = select(Dataset.id).where(Dataset.source_id == dataset.id, Dataset.is_current)
    is_new = dataset.state == DatasetState.VALIDATED and session.scalar(good) is None
    if is_new and not dataset.is_series:
        move(session, dataset, DatasetState.QUARANTINED, actor="flow", reason=reason)
    else:
        note(session, dataset, "rerun_failed", actor="flow", reason=reason)


# -- the result -----------------------------------------------------------------------------


def _enter_derived(session: Session, run: Run, metadata: dict[str, Any]) -> Dataset:
    """Enter the derived dataset, current unless a later version is."""
    source = session.get_one(Dataset, run.dataset_id)
    mine = (Dataset.source_id == source.id, Dataset.flow == run.flow, Dataset.is_current)
    newest = session.scalar(select(Dataset.version).where(*mine)) or 0
    if newest < run.version:
        session.execute(update(Dataset).where(*mine).values(is_current=False))
    key = f"{source.entry_key}@v{run.version:03d}"
    derived = Dataset(
        kind=Kind.DERIVED,
        beamline_id=source.beamline_id,
        entry_key=key,
        base_key=key,
        name=source.name,
        technique=source.technique,
        started_at=source.started_at,
        taken_at=source.taken_at,
        proposal_id=source.proposal_id,
        visit_id=source.visit_id,
        sample_id=source.sample_id,
        # a result of public data is published too, by the release of embargoes, if it is ok
        visibility="embargoed" if source.visibility == "public" else source.visibility,
        embargo_until=func.now() if source.visibility == "public" else source.embargo_until,
        meta=metadata,
        source_id=source.id,
        run_id=run.id,
        flow=run.flow,
        version=run.version,
        is_current=newest < run.version,
    )
    session.add(derived)
    note(session, derived, "registered", actor="flow", details={"run": str(run.id)})
    return derived


def _serve(session: Session, derived: Dataset, made: MadeCalibration) -> None:
    """Enter what a result serves as, and let those go on that waited for it."""
    source = session.get_one(Dataset, derived.source_id)
    of_source = select(Calibration).where(Calibration.dataset_id == source.id).limit(1)
    about = session.scalar(of_source)
    derived.detector, derived.format = source.detector, made.format
    session.add(
        Calibration(
            dataset_id=derived.id,
            kind=made.kind,
            detector=source.detector,
            energy_kev=made.energy_kev or (about.energy_kev if about else None),
            valid_from=about.valid_from if about else None,
            valid_until=about.valid_until if about else None,
        )
    )
    session.flush()
    beamline = recipes.beamline_of(session, derived.beamline_id)
    going_on.serve(session, derived, beamline, actor="flow")


def _enter_outputs(
    session: Session, derived: Dataset, claim: Claim, outputs: Sequence[OutputFile]
) -> None:
    storage = _storage_of(session, claim)
    folder = PurePosixPath(claim.output_folder).relative_to(storage.root)
    session.add_all(
        DatasetFile(
            dataset_id=derived.id,
            storage_id=storage.id,
            path=str(folder / output.path),
            role=output.role,
            size=output.size,
            digest=output.digest,
            digest_algorithm=output.digest_algorithm,
            media_type=output.media_type,
        )
        for output in outputs
    )


def _storage_of(session: Session, claim: Claim) -> Storage:
    """Return the storage that the output folder lies in: the innermost, if several do."""
    folder = PurePosixPath(claim.output_folder)
    above = [str(parent) for parent in folder.parents]
    found = session.scalar(
        select(Storage)
        .where(Storage.root.in_(above))
        .order_by(func.length(Storage.root).desc())
        .limit(1)
    )
    if found is None:
        beamline = session.get_one(Beamline, claim.beamline)
        found = recipes.storage(session, recipes.output_root(beamline.output_template))
    return found
