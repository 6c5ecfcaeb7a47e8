"""What a person decides about data that were set aside: accept them, or have them looked at again.

Set aside are datasets that are quarantined, incomplete or aborted.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog import inbox, recipes, series
from catalog.arrivals import ACCEPTED, RECHECK
from catalog.connection import LOCK
from catalog.errors import CatalogError, NotFound
from catalog.going_on import go_on, one_after_the_other, serve
from catalog.lifecycle import move, note
from catalog.models import Dataset, DatasetFile, Storage, uuid7
from catalog.states import DatasetState, Kind

SET_ASIDE = (DatasetState.QUARANTINED, DatasetState.INCOMPLETE, DatasetState.ABORTED)


class SetAside(BaseModel):
    """A dataset that was set aside, with the reason, and its first file."""

    id: UUID
    name: str
    beamline: str
    kind: str
    state: str
    reason: str | None
    since: datetime
    path: str | None
    readable: bool


def set_aside(
    session: Session,
    *,
    beamline: str | None = None,
    states: Sequence[str] = (DatasetState.QUARANTINED,),
    limit: int = 100,
) -> list[SetAside]:
    """Return datasets that were set aside, the latest first; the session's viewer sees its own."""
    wanted = select(Dataset).where(Dataset.state.in_(states))
    if beamline is not None:
        wanted = wanted.where(Dataset.beamline_id == beamline)
    found = session.scalars(wanted.order_by(Dataset.state_at.desc()).limit(limit)).all()
    return [
        SetAside(
            id=dataset.id,
            name=dataset.name,
            beamline=dataset.beamline_id,
            kind=dataset.kind,
            state=dataset.state,
            reason=dataset.state_reason,
            since=dataset.state_at,
            path=next(iter(_paths(session, dataset)), None),
            readable=bool(dataset.format),
        )
        for dataset in found
    ]


def accept(session: Session, dataset_id: UUID, *, actor: str, reason: str) -> Dataset:
    """Take a dataset that was set aside as it is: what exists of it is reduced.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    dataset_id : UUID
        An incomplete, aborted or quarantined dataset whose files a reader could open.
    actor, reason : str
        Who says so, and why.

    Raises
    ------
    NotFound
        There is no such dataset.
    CatalogError
        It was not set aside, or nothing of it could be read.
    """
    dataset = _locked(session, dataset_id)
    if dataset.state not in SET_ASIDE:
        raise CatalogError(
            f"{dataset.name} is {dataset.state}: only what is {', '.join(SET_ASIDE)} is accepted."
        )
    if dataset.kind == Kind.DERIVED:
        move(session, dataset, DatasetState.VALIDATED, actor=actor, reason=reason)
        serve(session, dataset, recipes.beamline_of(session, dataset.beamline_id), actor)
        series.tell(session, dataset)
        return dataset
    if not dataset.format:
        raise CatalogError(
            f"Nothing of {dataset.name} could be read ({dataset.state_reason}): mend its files, "
            f"then `dayseye quarantine recheck {dataset.id}`."
        )
    details = {"accepted": dataset.state, "because_of": dataset.state_reason}
    dataset.meta = {**dataset.meta, ACCEPTED: {"as": dataset.state, "by": actor}}
    move(session, dataset, DatasetState.ACQUIRED, actor=actor, reason=reason, details=details)
    go_on(session, dataset, recipes.beamline_of(session, dataset.beamline_id), actor)
    series.tell(session, dataset)
    return dataset


def release(session: Session, dataset_id: UUID, *, actor: str, reason: str) -> Dataset:
    """Let a quarantined dataset go on as it is.

    Raises
    ------
    NotFound
        There is no such dataset.
    CatalogError
        It is not quarantined, or nothing of it could be read.
    """
    dataset = _locked(session, dataset_id)
    if dataset.state != DatasetState.QUARANTINED:
        raise CatalogError(f"{dataset.name} is {dataset.state}, not quarantined.")
    return accept(session, dataset_id, actor=actor, reason=reason)


def put(session: Session, dataset_id: UUID, *, actor: str, reason: str) -> Dataset:
    """Set a dataset aside because a person does not trust it.

    What was made of it stays; the next run of its series leaves it out. A calibration is not chosen
    any more; `catalog.affected` tells what it touches.

    Raises
    ------
    NotFound
        There is no such dataset.
    CatalogError
        Its state does not allow it, such as one that is set aside already.
    """
    dataset = _locked(session, dataset_id)
    if dataset.state in SET_ASIDE or dataset.state == DatasetState.REGISTERED:
        raise CatalogError(f"{dataset.name} is {dataset.state}: it cannot be set aside from there.")
    move(session, dataset, DatasetState.QUARANTINED, actor=actor, reason=reason)
    series.tell(session, dataset)
    return dataset


def recheck(session: Session, dataset_id: UUID, *, actor: str, reason: str = "") -> Dataset:
    """Have the trigger look once more at the files of a dataset that was set aside.

    It goes on if they are whole now; if not, it is set aside again with what is wrong now.

    Raises
    ------
    NotFound
        There is no such dataset.
    CatalogError
        It was not set aside, or its files lie where no trigger looks.
    """
    dataset = _locked(session, dataset_id)
    if dataset.state not in SET_ASIDE or dataset.kind == Kind.DERIVED:
        raise CatalogError(
            f"{dataset.name} is {dataset.state} ({dataset.kind}): only raw and calibration data "
            f"that are {', '.join(SET_ASIDE)} are looked at again."
        )
    beamline = recipes.beamline_of(session, dataset.beamline_id)
    paths = _paths(session, dataset)
    watched = [path for path in paths if any(_is_in(path, root) for root in beamline.folders)]
    if not watched:
        raise CatalogError(
            f"The files of {dataset.name} ({', '.join(paths) or 'none'}) are not in a folder that "
            f"is watched: `dayseye ingest PATH --beamline {beamline.id}` looks at them again."
        )
    note(session, dataset, RECHECK, actor=actor, reason=reason or None)
    inbox.report(
        session,
        beamline=beamline.id,
        source=RECHECK,
        key=str(uuid7()),
        paths=watched,
        payload={},
        actor=actor,
    )
    return dataset


def _locked(session: Session, dataset_id: UUID) -> Dataset:
    """Lock a dataset as an arrival of its beamline would."""
    found = session.get(Dataset, dataset_id)
    if found is None:
        raise NotFound(f"No dataset {dataset_id}.")
    one_after_the_other(session, recipes.beamline_of(session, found.beamline_id))
    session.refresh(found, with_for_update=LOCK)
    return found


def _paths(session: Session, dataset: Dataset) -> list[str]:
    """Return the absolute paths of a dataset's own files, not of those that it links to."""
    rows = session.execute(
        select(func.rtrim(Storage.root, "/") + "/" + DatasetFile.path)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .where(
            DatasetFile.dataset_id == dataset.id,
            DatasetFile.gone_at.is_(None),
            DatasetFile.role.in_(("data", "series")),
        )
        .order_by(DatasetFile.id)
    )
    return [path for (path,) in rows]


def _is_in(path: str, root: str) -> bool:
    return path.startswith(f"{root.rstrip('/')}/")
