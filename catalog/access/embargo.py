"""Embargoes end by themselves: what is due becomes public, unless its verdict forbids it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.access.visibility import Visibility, apply
from catalog.lifecycle import note
from catalog.models import Dataset, LifecycleEvent
from catalog.states import Kind, Verdict

ACTOR = "embargo"
HELD_BACK = "publication_held"


@dataclass(frozen=True)
class Released:
    """What the end of embargoes did."""

    published: int
    held_back: int


def release_due(session: Session, limit: int = 500) -> Released:
    """Publish what is due: datasets whose embargo is over, results only with the verdict ok.

    A result that is not ok is told of once, and published later if a person overrules its verdict.
    Several processes may do this at once.
    """
    due = (
        select(Dataset)
        .where(Dataset.visibility == Visibility.EMBARGOED, Dataset.embargo_until <= func.now())
        .order_by(Dataset.embargo_until)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    is_result = Dataset.kind == Kind.DERIVED
    is_ok = func.coalesce(Dataset.verdict, "") == Verdict.OK
    ready = session.scalars(due.where(~is_result | is_ok)).all()
    for dataset in ready:
        reason = f"the embargo ended on {dataset.embargo_until:%Y-%m-%d %H:%M} UTC"
        apply(session, dataset, Visibility.PUBLIC, actor=ACTOR, reason=reason)
    told = select(LifecycleEvent.id).where(
        LifecycleEvent.dataset_id == Dataset.id, LifecycleEvent.event == HELD_BACK
    )
    held = session.scalars(due.where(is_result, ~is_ok, ~told.exists())).all()
    for dataset in held:
        reason = (
            f"its embargo is over, and its verdict is {dataset.verdict or 'missing'}: a person may "
            f"overrule it (`dayseye verdict {dataset.id} ok --reason ...`)"
        )
        note(session, dataset, HELD_BACK, actor=ACTOR, reason=reason)
    return Released(len(ready), len(held))
