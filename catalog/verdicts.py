"""Verdicts on results: the flow's by the rules of its technique, and a person's over it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from catalog.access import Viewer, demand_write
from catalog.connection import LOCK
from catalog.errors import CatalogError, NotFound
from catalog.lifecycle import note
from catalog.models import Dataset, VerdictRecord
from catalog.states import Kind, Verdict


class VerdictView(BaseModel):
    """A verdict on a result; the newest one holds."""

    dataset_id: UUID
    verdict: str
    reasons: list[str]
    rules_version: str | None
    overrules: bool
    actor: str
    at: datetime


def overrule(
    session: Session,
    viewer: Viewer,
    dataset_id: UUID,
    verdict: Verdict,
    *,
    reason: str,
    actor: str | None = None,
) -> VerdictView:
    """Let a person's verdict stand over the one before; both stay in the history.

    Raises
    ------
    NotFound, Forbidden
        The viewer may not see the result, or not change it.
    CatalogError
        It is not a result, or there is no reason.
    """
    demand_write(session, viewer, dataset_id)
    dataset = session.get_one(Dataset, dataset_id, with_for_update=LOCK)
    if dataset.kind != Kind.DERIVED:
        raise CatalogError(f"{dataset.name} is {dataset.kind}: verdicts are on results.")
    if not reason.strip():
        raise CatalogError("Say why the verdict is overruled; it stays in the history.")
    before = _latest(session, dataset_id)
    who = actor or viewer.actor()
    record = VerdictRecord(
        dataset_id=dataset_id,
        verdict=verdict,
        reasons=[reason],
        quality=before.quality if before else {},
        rules_version=before.rules_version if before else None,
        overrules=True,
        actor=who,
    )
    session.add(record)
    details = {"before": before.verdict if before else None, "after": str(verdict)}
    note(session, dataset, "verdict_overruled", actor=who, reason=reason, details=details)
    session.refresh(dataset, ["verdict"])
    session.refresh(record)
    return view(record)


def verdicts(session: Session, dataset_id: UUID) -> list[VerdictView]:
    """Return all verdicts on a result, newest first."""
    statement = select(VerdictRecord).where(VerdictRecord.dataset_id == dataset_id)
    return [view(each) for each in session.scalars(statement.order_by(VerdictRecord.id.desc()))]


def result_of(session: Session, dataset_id: UUID) -> UUID:
    """Return the current result of a scan, or the result itself.

    Raises
    ------
    NotFound
        There is no such dataset, or it has no result.
    """
    statement = (
        select(Dataset.id)
        .where(
            or_(
                (Dataset.id == dataset_id) & (Dataset.kind == Kind.DERIVED),
                (Dataset.source_id == dataset_id) & Dataset.is_current,
            )
        )
        .order_by(Dataset.id.desc())
    )
    found = session.scalars(statement.limit(1)).first()
    if found is None:
        raise NotFound(f"Dataset {dataset_id} has no result.")
    return found


def sentence(reason: object) -> str:
    """Return a reason of a verdict as a sentence; a rule's carries the rule's name as well."""
    if isinstance(reason, dict) and "reason" in reason:
        return str(cast("dict[str, Any]", reason)["reason"])
    return str(cast("object", reason))


def view(record: VerdictRecord) -> VerdictView:
    """Return a row as the outside sees it."""
    return VerdictView(
        dataset_id=record.dataset_id,
        verdict=record.verdict,
        reasons=[sentence(reason) for reason in record.reasons],
        rules_version=record.rules_version,
        overrules=record.overrules,
        actor=record.actor,
        at=record.at,
    )


def _latest(session: Session, dataset_id: UUID) -> VerdictRecord | None:
    statement = select(VerdictRecord).where(VerdictRecord.dataset_id == dataset_id)
    return session.scalars(statement.order_by(VerdictRecord.id.desc()).limit(1)).first()
