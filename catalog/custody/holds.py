"""Holds: a person's word that a dataset must stay where it is."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.custody.guard import dataset_of
from catalog.errors import CatalogError
from catalog.lifecycle import note
from catalog.models import Hold


def hold(session: Session, dataset_id: UUID, *, actor: str, reason: str) -> Hold:
    """Keep a dataset from being purged until it is released.

    Raises
    ------
    NotFound
        There is no such dataset.
    CatalogError
        It was purged already, or there is no reason given.
    """
    dataset = dataset_of(session, dataset_id)
    if not reason.strip():
        raise CatalogError("A hold needs a reason: --reason 'why it must stay'.")
    if dataset.purged_at is not None:
        raise CatalogError(f"{dataset.name} was purged at {dataset.purged_at}: nothing to hold.")
    held = Hold(dataset_id=dataset.id, reason=reason, actor=actor)
    session.add(held)
    note(session, dataset, "held", actor=actor, reason=reason)
    return held


def release(session: Session, dataset_id: UUID, *, actor: str, reason: str) -> int:
    """End all holds of a dataset, and return how many there were.

    Raises
    ------
    NotFound
        There is no such dataset.
    CatalogError
        Nobody holds it.
    """
    dataset = dataset_of(session, dataset_id)
    holds = session.scalars(
        select(Hold)
        .where(Hold.dataset_id == dataset_id, Hold.released_at.is_(None))
        .with_for_update()
    ).all()
    if not holds:
        raise CatalogError(f"Nobody holds {dataset.name}.")
    for each in holds:
        each.released_at, each.released_by = func.now(), actor
    note(session, dataset, "released", actor=actor, reason=reason)
    return len(holds)
