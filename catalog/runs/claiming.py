"""Claiming a run: the first act of a flow. Each claim is an attempt with the newest token."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.connection import LOCK
from catalog.errors import CatalogError, Fenced, NotFound
from catalog.lifecycle import move, note
from catalog.models import (
    Attempt,
    Beamline,
    Dataset,
    DatasetFile,
    Dispatch,
    Lineage,
    Proposal,
    Run,
    Sample,
    Storage,
)
from catalog.runs import members
from catalog.runs.opening import current_run, flow_of, open_run, reducible
from catalog.samples import SAMPLE_FIELDS
from catalog.states import AttemptState, Lane, RunState

WHOLE = ("data", "series")


@dataclass(frozen=True)
class InputFile:
    """A file that a run reads. The role of a calibration's file is what it serves as.

    A run of a series reads files of results: their role is ``member``, ``output`` the role that
    they had among the outputs, ``name`` and ``taken_at`` those of the scan, ``verdict`` what the
    result was worth when the run was claimed.
    """

    path: Path
    inner_path: str
    role: str
    format: str
    fingerprint: str | None
    dataset_id: UUID
    count: int = 1
    output: str = ""
    name: str = ""
    taken_at: datetime | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Claim:
    """What an attempt holds and needs to know; picklable.

    ``output_folder`` is the folder of this version, which belongs to this run alone. Nothing is
    entered in the catalogue for it while the run is not completed: a folder that stands there all
    the same was left by a crash between its renaming and the commit, and may be replaced.

    ``sample_facts`` has what the catalogue knows of the sample, by the names of
    `catalog.samples.SAMPLE_FIELDS`, in their units; what it does not know is not in it. ``folders``
    are those in which the beamline's data land.
    """

    run_id: UUID
    attempt_id: UUID
    attempt_number: int
    token: int
    version: int
    dataset_id: UUID
    dataset_name: str
    beamline: str
    technique: str
    flow: str
    recipe_version: str
    proposal: str | None
    sample: str | None
    parameters: dict[str, Any]
    metadata: dict[str, Any]
    inputs: list[InputFile]
    output_folder: Path
    output_group: str
    output_mode: str
    already_completed: bool
    derived_id: UUID | None
    sample_facts: dict[str, Any] = field(default_factory=dict[str, Any])
    folders: tuple[Path, ...] = ()

    @property
    def partial_folder(self) -> Path:
        """The folder beside the final one in which this attempt makes its outputs."""
        final = self.output_folder
        return final.with_name(f".{final.name}.attempt-{self.attempt_number}.partial")


@dataclass(frozen=True)
class _FlowRun:
    """A flow run of Prefect, and the process that it runs in."""

    id: str
    dataset_id: UUID
    flow: str
    parameters: dict[str, Any]
    dispatch_id: UUID | None
    reason: str
    host: str
    pid: int
    process_started: float | None
    in_batch: bool
    machine: dict[str, Any] | None


def claim(
    engine: Engine,
    *,
    dataset_id: UUID,
    flow: str,
    parameters: dict[str, Any],
    dispatch_id: UUID | None,
    flow_run_id: str,
    reason: str,
    host: str,
    pid: int,
    process_started: float | None = None,
    in_batch: bool = False,
    machine: dict[str, Any] | None = None,
) -> Claim:
    """Make a new attempt of the run that a flow run stands for, and fence all earlier ones.

    A flow run that was seen before, or that was sent for the dispatch, stands for that run: so a
    retry is another attempt. Any other flow run is a copy that a person made in the Prefect UI: it
    becomes a run of its own, whose parent is the run that was copied.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    dataset_id : UUID
        The raw dataset.
    flow : str
        The flow that asks.
    parameters : dict
        Its parameters; used for a copy, since the parameters of other runs are in the catalogue.
    dispatch_id : UUID, optional
        The dispatch in the flow run's parameters.
    flow_run_id : str
        Prefect's id of the flow run.
    reason : str
        Why, for a copy.
    host : str
        The machine.
    pid : int
        The process.
    process_started : float, optional
        Its start, to tell it from a later process with the same id.
    in_batch : bool
        Whether the flow run carries several dispatches; then only the dispatch tells the run, and
        a copy of the flow run makes no new ones.
    machine : dict, optional
        Hardware and software there, kept with the attempt.

    Returns
    -------
    Claim
        With ``already_completed`` set, and no new attempt, if there is nothing left to do.

    Raises
    ------
    Fenced
        The run was cancelled before it began, or was sent with another flow run.
    NotFound
        The catalogue knows no such dataset or dispatch.
    CatalogError
        The dataset cannot be reduced as it stands.
    """
    asking = _FlowRun(
        id=flow_run_id,
        dataset_id=dataset_id,
        flow=flow,
        parameters=parameters,
        dispatch_id=dispatch_id,
        reason=reason,
        host=host,
        pid=pid,
        process_started=process_started,
        in_batch=in_batch,
        machine=machine,
    )
    # Two transactions, so that one locks a dataset, then a run, and none the other way round.
    with Session(engine) as session, session.begin():
        run_id = _dispatched_run(session, asking)
        if run_id is None and in_batch:
            raise Fenced(f"Dispatch {dispatch_id} was sent with another flow run.")
        run_id = run_id or _known_run(session, asking) or _copied_run(session, asking)
    with Session(engine) as session, session.begin():
        return _attempt(session, run_id, asking)


def _known_run(session: Session, asking: _FlowRun) -> UUID | None:
    """Return the run that this flow run has stood for before."""
    of_attempt = select(Attempt.run_id).where(Attempt.flow_run_id == asking.id).limit(1)
    of_request = select(Run.id).where(Run.request_id == asking.id)
    return session.scalar(of_attempt) or session.scalar(of_request)


def _dispatched_run(session: Session, asking: _FlowRun) -> UUID | None:
    """Return the dispatch's run if this is the flow run that was sent for it."""
    if asking.dispatch_id is None:
        return None
    dispatch = session.get(Dispatch, asking.dispatch_id, with_for_update=LOCK)
    if dispatch is None:
        raise NotFound(
            f"No dispatch {asking.dispatch_id}: this flow run was made for another catalogue. Ask "
            "for a new run of the dataset."
        )
    run = session.get_one(Run, dispatch.run_id)
    if dispatch.flow_run_id not in (None, asking.id) or run.dataset_id != asking.dataset_id:
        return None
    if run.state == RunState.CANCELLED:
        raise Fenced(f"The run was cancelled before it began: {run.state_reason or 'no reason'}.")
    # Prefect may be faster than the dispatcher, which marks the dispatch afterwards.
    dispatch.flow_run_id = asking.id
    dispatch.sent_at = dispatch.sent_at or func.now()
    return run.id


def _copied_run(session: Session, asking: _FlowRun) -> UUID:
    """Open a run for a flow run that a person started from the Prefect UI."""
    dataset = reducible(session, asking.dataset_id)
    schema = flow_of(session, dataset)
    if schema.flow != asking.flow:
        raise CatalogError(
            f"{dataset.name} is reduced by the flow {schema.flow!r}, not by {asking.flow!r}."
        )
    copied = session.get(Dispatch, asking.dispatch_id) if asking.dispatch_id else None
    run = open_run(
        session,
        dataset,
        parameters=recipes.complete_parameters(schema, asking.parameters),
        actor="prefect-ui",
        reason=asking.reason or "run started in the Prefect UI",
        lane=Lane.REPROCESS,
        request_id=asking.id,
        parent_id=copied.run_id if copied else current_run(session, dataset.id),
        dispatched=False,
    )
    return run.id


def _attempt(session: Session, run_id: UUID, asking: _FlowRun) -> Claim:
    """Make the newest attempt of a run, or return the one that completed it."""
    run = session.get_one(Run, run_id, with_for_update=LOCK)
    if run.state == RunState.COMPLETED:
        done = select(Attempt).where(
            Attempt.run_id == run_id, Attempt.state == AttemptState.COMPLETED
        )
        return _claim_of(session, run, session.scalars(done).one())
    reducible(session, run.dataset_id)
    number = _end_earlier(session, run)
    attempt = Attempt(
        run_id=run.id,
        number=number,
        flow_run_id=asking.id,
        host=asking.host,
        pid=asking.pid,
        process_started=asking.process_started,
        machine=asking.machine,
    )
    session.add(attempt)
    session.flush()
    run.token = attempt.token
    run.stage, run.figures = "", {}
    run.started_at = run.started_at or func.now()
    run.finished_at = None
    about = {"attempt": number, "flow_run_id": asking.id, "host": asking.host}
    if run.state == RunState.RUNNING:
        note(session, run, "attempt", actor="flow", details=about)
    else:
        move(session, run, RunState.RUNNING, actor="flow", details=about)
    return _claim_of(session, run, attempt)


def _end_earlier(session: Session, run: Run) -> int:
    """Mark a running attempt lost, and return the number of the next one."""
    attempts = session.scalars(
        select(Attempt).where(Attempt.run_id == run.id).order_by(Attempt.number)
    ).all()
    number = attempts[-1].number + 1 if attempts else 1
    for attempt in attempts:
        if attempt.state == AttemptState.RUNNING:
            attempt.state = AttemptState.LOST
            attempt.reason = f"overtaken by attempt {number}"
            attempt.finished_at = func.now()
    session.flush()
    return number


def _claim_of(session: Session, run: Run, attempt: Attempt) -> Claim:
    dataset = session.get_one(Dataset, run.dataset_id)
    proposal = session.get(Proposal, dataset.proposal_id) if dataset.proposal_id else None
    sample = session.get(Sample, dataset.sample_id) if dataset.sample_id else None
    beamline = session.get_one(Beamline, dataset.beamline_id)
    derived = session.scalar(select(Dataset.id).where(Dataset.run_id == run.id))
    return Claim(
        run_id=run.id,
        attempt_id=attempt.id,
        attempt_number=attempt.number,
        token=attempt.token,
        version=run.version,
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        beamline=dataset.beamline_id,
        technique=dataset.technique,
        flow=run.flow,
        recipe_version=run.recipe_version,
        proposal=proposal.code if proposal else None,
        sample=sample.name if sample else None,
        parameters=run.parameters,
        metadata=dataset.meta,
        inputs=_results(session, run) if dataset.is_series else _inputs(session, run),
        output_folder=Path(dataset.output_folder or "", f"v{run.version:03d}"),
        output_group=_group(beamline, proposal),
        output_mode=beamline.output_mode,
        already_completed=run.state == RunState.COMPLETED,
        derived_id=derived,
        sample_facts=_facts(sample),
        folders=tuple(Path(folder) for folder in beamline.folders),
    )


def _facts(sample: Sample | None) -> dict[str, Any]:
    if sample is None:
        return {}
    values = {name: getattr(sample, name) for name in SAMPLE_FIELDS}
    return {name: value for name, value in values.items() if value is not None}


def _group(beamline: Beamline, proposal: Proposal | None) -> str:
    """Return the group that owns the results; what belongs to no proposal has none by its name."""
    if "{proposal}" in beamline.output_group and proposal is None:
        return ""
    return beamline.output_group.format(proposal=proposal.code if proposal else "")


def _inputs(session: Session, run: Run) -> list[InputFile]:
    rows = session.execute(
        select(Lineage.role, DatasetFile, Dataset.format, Storage.root)
        .join(Dataset, Dataset.id == Lineage.dataset_id)
        .join(DatasetFile, DatasetFile.dataset_id == Lineage.dataset_id)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .where(
            Lineage.run_id == run.id,
            Lineage.direction == "input",
            DatasetFile.gone_at.is_(None),
        )
        .order_by(Lineage.role.desc(), DatasetFile.path, DatasetFile.id)
    )
    return [
        InputFile(
            path=Path(root, file.path),
            inner_path=file.inner_path,
            role=file.role if role == "raw" else role,
            format=format,
            fingerprint=file.fingerprint or file.digest,
            dataset_id=file.dataset_id,
            count=file.count,
        )
        for role, file, format, root in rows
        if role == "raw" or file.role in (role, *WHOLE)
    ]


def _results(session: Session, run: Run) -> list[InputFile]:
    """Return the files of the results that a run of a series takes, in the order of their scans.

    Pictures are for people and left out.
    """
    rows = session.execute(
        select(
            Storage.root,
            DatasetFile.path,
            DatasetFile.role,
            DatasetFile.digest,
            DatasetFile.count,
            Dataset.id,
            Dataset.name,
            Dataset.taken_at,
            Dataset.verdict,
        )
        .select_from(Lineage)
        .join(Dataset, Dataset.id == Lineage.dataset_id)
        .join(DatasetFile, DatasetFile.dataset_id == Lineage.dataset_id)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .where(
            Lineage.run_id == run.id,
            Lineage.direction == "input",
            Lineage.role == members.ROLE,
            DatasetFile.gone_at.is_(None),
            func.coalesce(DatasetFile.media_type, "").not_like("image/%"),
        )
        .order_by(Dataset.taken_at, Dataset.source_id, DatasetFile.path)
    )
    return [
        InputFile(
            path=Path(root, path),
            inner_path="",
            role=members.ROLE,
            format="",
            fingerprint=digest,
            dataset_id=dataset_id,
            count=count,
            output=role,
            name=name,
            taken_at=taken_at,
            verdict=verdict or "",
        )
        for root, path, role, digest, count, dataset_id, name, taken_at, verdict in rows
    ]
