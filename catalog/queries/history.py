"""The history of a dataset: what happened to it and to its runs, in one query."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from catalog.models import Dataset, LifecycleEvent, Run
from catalog.queries.views import EventView


def history(session: Session, dataset_id: UUID) -> list[EventView]:
    """Return what happened to a dataset and to its runs, oldest first; nothing if it is not there.

    A dataset always has an event: that it was registered.
    """
    visible = select(Dataset.id).where(Dataset.id == dataset_id).scalar_subquery()
    of_dataset = select(LifecycleEvent.id).where(LifecycleEvent.dataset_id == visible)
    of_runs = (
        select(LifecycleEvent.id)
        .join(Run, Run.id == LifecycleEvent.run_id)
        .where(Run.dataset_id == visible)
    )
    # two ways, each with its index: one condition with "or" would read the whole table
    found = union_all(of_dataset, of_runs).subquery()
    statement = (
        select(LifecycleEvent, Run.version)
        .join(found, found.c.id == LifecycleEvent.id)
        .outerjoin(Run, Run.id == LifecycleEvent.run_id)
        .order_by(LifecycleEvent.id)
    )
    return [
        EventView(
            at=event.at,
            event=event.event,
            level=event.level,
            run_id=event.run_id,
            run_version=version,
            from_state=event.from_state,
            to_state=event.to_state,
            actor=event.actor,
            reason=event.reason,
            details=event.details,
        )
        for event, version in session.execute(statement)
    ]
