"""Opening the first runs of many datasets at once, which have just been entered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from catalog import memo, outbox, recipes
from catalog.lifecycle import tell_many
from catalog.models import Beamline, Dataset, Dispatch, FlowSchema, Lineage, Run, uuid7
from catalog.runs.opening import Input, run_key, wanted_folder
from catalog.states import Lane


@dataclass(frozen=True)
class FirstRun:
    """A dataset that has no run yet, with the fingerprint of its files; nothing else goes in."""

    dataset: Dataset
    fingerprint: str
    actor: str


def choose_folders(session: Session, datasets: Sequence[Dataset], beamline: Beamline) -> set[UUID]:
    """Give datasets that are not entered yet their folders of results.

    Returns
    -------
    set of UUID
        The datasets whose folder another has: opening their run finds one with a number.
    """
    wanted: dict[str, Dataset] = {}
    crowded: set[UUID] = set()
    for dataset in datasets:
        folder = wanted_folder(session, dataset, beamline)
        if wanted.setdefault(folder, dataset) is not dataset:
            crowded.add(dataset.id)
    used = select(Dataset.output_folder).where(Dataset.output_folder.in_(wanted))
    taken = {*session.scalars(used)} if wanted else set[str | None]()
    for folder, dataset in wanted.items():
        if folder in taken:
            crowded.add(dataset.id)
        else:
            dataset.output_folder = folder
    return crowded


def open_first_runs(
    session: Session, beamline: Beamline, wanted: Sequence[FirstRun], reason: str
) -> dict[UUID, UUID]:
    """Open the runs that datasets get by themselves, and put them into the outbox.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    beamline : Beamline
        Of all of them.
    wanted : sequence of FirstRun
        Validated raw datasets with a folder for their results.
    reason : str
        Why.

    Returns
    -------
    dict
        The run of each dataset.
    """
    runs = [_run(session, beamline, each, reason) for each in wanted]
    if not runs:
        return {}
    session.execute(insert(Run), runs)
    tell_many(
        session,
        [
            {"run_id": run["id"], "event": "requested", "actor": run["actor"], "reason": reason}
            for run in runs
        ],
    )
    session.execute(
        insert(Lineage),
        [
            {
                "run_id": run["id"],
                "dataset_id": each.dataset.id,
                "direction": "input",
                "role": "raw",
                "fingerprint": each.fingerprint,
            }
            for run, each in zip(runs, wanted, strict=True)
        ],
    )
    session.execute(
        insert(Dispatch),
        [
            {"id": uuid7(), "run_id": run["id"], "key": f"{run['id']}/1", "lane": run["lane"]}
            for run in runs
        ],
    )
    session.execute(select(func.pg_notify(outbox.CHANNEL, "")))
    return {run["dataset_id"]: run["id"] for run in runs}


def _run(session: Session, beamline: Beamline, first: FirstRun, reason: str) -> dict[str, Any]:
    flow, parameters = _recipe(session, beamline, first.dataset.rule)
    raw = Input(first.dataset.id, "raw", first.fingerprint)
    return {
        "id": uuid7(),
        "dataset_id": first.dataset.id,
        "flow": flow.flow,
        "recipe_version": flow.version,
        "parameters": parameters,
        "run_key": run_key([raw], flow.flow, flow.version, parameters, None),
        "actor": first.actor,
        "reason": reason,
        "lane": Lane.LIVE,
        "version": 1,
    }


def _recipe(session: Session, beamline: Beamline, rule: str) -> tuple[FlowSchema, dict[str, Any]]:
    def ask() -> tuple[FlowSchema, dict[str, Any]]:
        flow = recipes.current_flow(session, beamline, rule)
        return flow, recipes.effective_parameters(session, beamline.id, {}, rule)

    return memo.once(session, ("recipe", beamline.id, rule), ask)
