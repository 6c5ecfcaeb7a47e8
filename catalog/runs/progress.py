"""What a running attempt tells the catalogue, for as long as no newer attempt holds its run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from catalog.errors import Fenced
from catalog.models import Attempt, Run, Step, uuid7
from catalog.runs.claiming import Claim
from catalog.states import AttemptState, RunState


@dataclass(frozen=True)
class StepRecord:
    """One algorithm's work in a stage: what was used, and what was rejected and why."""

    stage: str
    algorithm: str
    version: str
    implementation: str
    device: str = ""
    packages: dict[str, str] = field(default_factory=dict[str, str])
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    rejected: list[Any] = field(default_factory=list[Any])
    calls: int = 1
    seconds: float = 0.0


def heartbeat(engine: Engine, claim: Claim) -> None:
    """Say that an attempt still runs.

    Raises
    ------
    Fenced
        A newer attempt holds the run, or it was ended: stop, and enter nothing.
    """
    with Session(engine) as session, session.begin():
        _beat(session, claim)


def set_stage(engine: Engine, claim: Claim, stage: str, figures: dict[str, Any]) -> None:
    """Show how far an attempt is; the figures are added to those shown before.

    Raises
    ------
    Fenced
        As for :func:`heartbeat`.
    """
    with Session(engine) as session, session.begin():
        _beat(session, claim)
        shown = Run.figures.concat(literal(figures, JSONB()))
        session.execute(
            update(Run)
            .where(Run.id == claim.run_id, Run.token == claim.token)
            .values(stage=stage, figures=shown)
        )


def record_steps(engine: Engine, claim: Claim, steps: Sequence[StepRecord]) -> None:
    """Enter the work that was done, in its order.

    Raises
    ------
    Fenced
        As for :func:`heartbeat`.
    """
    with Session(engine) as session, session.begin():
        _beat(session, claim)
        for step in steps:
            values = vars(step) | {"run_id": claim.run_id, "attempt_id": claim.attempt_id}
            session.execute(insert(Step).values(id=uuid7(), **values))


def _beat(session: Session, claim: Claim) -> None:
    """Renew the heartbeat of the attempt if it holds the newest token of a running run."""
    holds = (
        select(Run.id)
        .where(Run.id == claim.run_id, Run.token == claim.token, Run.state == RunState.RUNNING)
        .exists()
    )
    beaten = session.execute(
        update(Attempt)
        .where(Attempt.id == claim.attempt_id, Attempt.state == AttemptState.RUNNING, holds)
        .values(heartbeat_at=func.clock_timestamp())
        .returning(Attempt.id)
    ).one_or_none()
    if beaten is None:
        raise fenced(session, claim)


def fenced(session: Session, claim: Claim) -> Fenced:
    """Write the sentence for an attempt that no longer holds its run."""
    attempt = session.get(Attempt, claim.attempt_id)
    how = f"{attempt.state}, {attempt.reason}" if attempt else "unknown"
    return Fenced(
        f"Attempt {claim.attempt_number} at {claim.dataset_name} no longer holds its run ({how})."
    )
