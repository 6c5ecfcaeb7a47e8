"""Opening a run: its key, its version, its inputs and its place in the outbox."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from catalog import calibrations, memo, outbox, recipes
from catalog.connection import LOCK
from catalog.errors import CatalogError, NotFound
from catalog.lifecycle import note
from catalog.models import (
    Beamline,
    Dataset,
    DatasetCalibration,
    DatasetFile,
    FlowSchema,
    Lineage,
    Proposal,
    Run,
    Sample,
    Visit,
    uuid7,
)
from catalog.runs import members
from catalog.states import DatasetState, Kind, Lane


def request_run(
    session: Session,
    dataset_id: UUID,
    overrides: Mapping[str, Any],
    actor: str,
    reason: str,
    *,
    lane: str = Lane.REPROCESS,
    request_id: str | None = None,
) -> Run:
    """Open a run that a person asks for: a new version, whatever was reduced before.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    dataset_id : UUID
        The raw dataset, or a calibration that a flow reduces.
    overrides : mapping
        Parameters that differ from the beamline's.
    actor, reason : str
        Who asks, and why.
    lane : str
        The queue.
    request_id : str, optional
        The request; one that was asked for before returns its run. Each call is its own otherwise.

    Raises
    ------
    InvalidParameters
        An override does not fit the flow; the sentence names the key and the allowed values.
    NotFound
        No such dataset, or no flow for it.
    CatalogError
        The dataset cannot be reduced as it stands; the sentence says why.
    """
    dataset = reducible(session, dataset_id)
    asked = select(Run).where(Run.request_id == request_id) if request_id else None
    if asked is not None and (existing := session.scalar(asked)) is not None:
        return existing
    beamline = recipes.beamline_of(session, dataset.beamline_id)
    calibrations.renew(session, dataset)
    parameters = recipes.effective_parameters(
        session,
        dataset.beamline_id,
        overrides,
        dataset.rule,
        series=dataset.is_series,
        calibration=calibrations.reduced_as(session, beamline, dataset),
    )
    return open_run(
        session,
        dataset,
        parameters=parameters,
        actor=actor,
        reason=reason,
        lane=lane,
        request_id=request_id or str(uuid7()),
        parent_id=current_run(session, dataset.id),
    )


def reducible(session: Session, dataset_id: UUID) -> Dataset:
    """Return a dataset that can be reduced, locked.

    Raises
    ------
    NotFound
        There is none with this id.
    CatalogError
        It is neither raw nor a calibration that a flow reduces, or its state does not allow it.
    """
    dataset = session.get(Dataset, dataset_id, with_for_update=LOCK)
    if dataset is None:
        raise NotFound(f"No dataset {dataset_id}.")
    if dataset.kind != Kind.RAW and not _is_reduced(session, dataset):
        raise CatalogError(
            f"{dataset.name} is a {dataset.kind} dataset: only raw ones are reduced."
        )
    if dataset.purged_at is not None:
        raise CatalogError(f"{dataset.name} was purged at {dataset.purged_at:%Y-%m-%d %H:%M} UTC.")
    if dataset.state != DatasetState.VALIDATED:
        raise CatalogError(f"{dataset.name} cannot be reduced: {_why_not(dataset)}")
    return dataset


def _is_reduced(session: Session, dataset: Dataset) -> bool:
    """Tell whether a calibration is of a kind that a flow reduces."""
    beamline = recipes.beamline_of(session, dataset.beamline_id)
    return bool(calibrations.reduced_as(session, beamline, dataset))


def _why_not(dataset: Dataset) -> str:
    because = f" ({dataset.state_reason})" if dataset.state_reason else ""
    match dataset.state:
        case DatasetState.WAITING_FOR_CALIBRATION:
            return f"it waits for a calibration{because}."
        case DatasetState.QUARANTINED | DatasetState.INCOMPLETE | DatasetState.ABORTED:
            return f"it is {dataset.state}{because}, and a person must accept it first."
        case _:
            return "it has not arrived completely yet."


def open_run(
    session: Session,
    dataset: Dataset,
    *,
    parameters: dict[str, Any],
    actor: str,
    reason: str,
    lane: str,
    request_id: str | None = None,
    parent_id: UUID | None = None,
    dispatched: bool = True,
) -> Run:
    """Return the run with this key, opened and put into the outbox unless it is there already.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    dataset : Dataset
        What is reduced.
    parameters : dict
        The whole, checked parameters.
    actor, reason, lane : str
        Who asks and why, and the queue.
    request_id : str, optional
        Makes the key of a person's request its own; automatic work has none.
    parent_id : UUID, optional
        The run that this one follows.
    dispatched : bool
        False if a flow run exists already (a copy that a person made in the Prefect UI).
    """
    session.flush()
    session.refresh(dataset, with_for_update=LOCK)
    beamline = recipes.beamline_of(session, dataset.beamline_id)
    flow = flow_of(session, dataset)
    inputs = _inputs(session, dataset)
    key = run_key(inputs, flow.flow, flow.version, parameters, request_id)
    existing = session.scalar(select(Run).where(Run.run_key == key))
    if existing is not None:
        return existing
    if dataset.output_folder is None:
        dataset.output_folder = _free_folder(session, dataset, beamline)
    run = Run(
        dataset_id=dataset.id,
        flow=flow.flow,
        recipe_version=flow.version,
        parameters=parameters,
        run_key=key,
        request_id=request_id,
        parent_id=parent_id,
        actor=actor,
        reason=reason,
        lane=lane,
        version=_next_version(session, dataset.id),
    )
    session.add(run)
    note(session, run, "requested", actor=actor, reason=reason)
    session.flush()
    session.execute(insert(Lineage), [_edge(run, input) for input in inputs])
    if dispatched:
        outbox.put(session, run)
    session.flush()
    return run


def flow_of(session: Session, dataset: Dataset) -> FlowSchema:
    """Return the current version of the flow that reduces a dataset.

    Raises
    ------
    NotFound
        There is none, or it has not been published.
    """
    beamline = recipes.beamline_of(session, dataset.beamline_id)
    kind = calibrations.reduced_as(session, beamline, dataset)
    return recipes.current_flow(
        session, beamline, dataset.rule, series=dataset.is_series, calibration=kind
    )


def _edge(run: Run, input: "Input") -> dict[str, Any]:
    return {
        "run_id": run.id,
        "dataset_id": input.dataset_id,
        "direction": "input",
        "role": input.role,
        "fingerprint": input.fingerprint,
    }


def current_run(session: Session, dataset_id: UUID) -> UUID | None:
    """Return the run that made a dataset's current result."""
    return session.scalar(
        select(Dataset.run_id).where(Dataset.source_id == dataset_id, Dataset.is_current).limit(1)
    )


# -- the key --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Input:
    """A dataset that goes into a run, with its role and the fingerprint of its files."""

    dataset_id: UUID
    role: str
    fingerprint: str


def run_key(
    inputs: list[Input],
    flow: str,
    version: str,
    parameters: Mapping[str, Any],
    request_id: str | None,
) -> str:
    """Return the digest of all that decides a result: equal keys mean the same work.

    The dataset's own id is part of it: two scans with the same bytes are two scans.
    """
    return _digest(
        {
            "inputs": sorted([str(i.dataset_id), i.role, i.fingerprint] for i in inputs),
            "flow": flow,
            "version": version,
            "parameters": parameters,
            "request": request_id,
        }
    )


def _inputs(session: Session, dataset: Dataset) -> list[Input]:
    if dataset.is_series:
        taken = members.take(session, dataset)
        return [Input(id, members.ROLE, fingerprint) for id, fingerprint in taken]
    links = session.execute(
        select(DatasetCalibration.calibration_id, DatasetCalibration.role).where(
            DatasetCalibration.dataset_id == dataset.id
        )
    )
    roles = [(dataset.id, "raw"), *links]
    return [Input(id, role, _dataset_fingerprint(session, id)) for id, role in roles]


def _dataset_fingerprint(session: Session, dataset_id: UUID) -> str:
    """Return one fingerprint for all files of a dataset, wherever they lie."""
    # results have no fingerprint, and a digest from the first
    mark = func.coalesce(DatasetFile.fingerprint, DatasetFile.digest)
    files = session.execute(
        select(DatasetFile.role, DatasetFile.inner_path, mark, DatasetFile.count).where(
            DatasetFile.dataset_id == dataset_id, DatasetFile.gone_at.is_(None)
        )
    )
    return files_fingerprint((role, inner, own, count) for role, inner, own, count in files)


def files_fingerprint(files: Iterable[tuple[str, str, str | None, int]]) -> str:
    """Return one fingerprint for files by their role, inner path, own fingerprint and count."""
    return _digest(sorted([role, inner, mark or "", count] for role, inner, mark, count in files))


def _digest(content: object) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _next_version(session: Session, dataset_id: UUID) -> int:
    newest = session.scalar(select(func.max(Run.version)).where(Run.dataset_id == dataset_id))
    return (newest or 0) + 1


# -- where the results go -------------------------------------------------------------------


def _free_folder(session: Session, dataset: Dataset, beamline: Beamline) -> str:
    """Return the folder of a dataset's results: a used name (a new scan of it) gets a number."""
    wanted = wanted_folder(session, dataset, beamline)
    folder, number = wanted, 1
    while session.scalar(select(Dataset.id).where(Dataset.output_folder == folder)) is not None:
        number += 1
        folder = f"{wanted}-{number}"
    return folder


def wanted_folder(session: Session, dataset: Dataset, beamline: Beamline) -> str:
    """Return the folder of a dataset's results as the beamline's template says, used or not."""
    proposal, visit, sample = memo.once(
        session,
        ("codes", dataset.proposal_id, dataset.visit_id, dataset.sample_id),
        lambda: _codes(session, dataset),
    )
    return beamline.output_template.format(
        beamline=path_part(beamline.id),
        proposal=path_part(proposal),
        visit=path_part(visit),
        sample=path_part(sample),
        scan=path_part(dataset.name),
    ).rstrip("/")


def _codes(session: Session, dataset: Dataset) -> tuple[str, str, str]:
    proposal = session.get(Proposal, dataset.proposal_id) if dataset.proposal_id else None
    visit = session.get(Visit, dataset.visit_id) if dataset.visit_id else None
    sample = session.get(Sample, dataset.sample_id) if dataset.sample_id else None
    return (
        proposal.code if proposal else "",
        visit.code if visit else "",
        sample.name if sample else "",
    )


def path_part(name: str) -> str:
    """Turn a name in any language into one safe part of a path; none is ``unassigned``."""
    safe = re.sub(r"[^\w.+-]+", "_", name).lstrip(".")[:80]
    return safe or "unassigned"
