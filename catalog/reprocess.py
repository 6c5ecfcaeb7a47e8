"""Reprocessing: many datasets reduced again at a person's request, behind what lands now."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from catalog import recipes, sizes
from catalog.errors import CatalogError
from catalog.models import Dataset, Run
from catalog.models.dataset import SERIES
from catalog.runs.opening import request_run
from catalog.states import DatasetState, Kind, RunState

AT_ONCE = 50  # datasets a transaction
LAST = 50  # runs that tell how long one takes


@dataclass(frozen=True)
class Wish:
    """Which datasets shall be reduced again, with which parameters, and why.

    ``since`` and ``until`` are about when data were taken; ``until`` itself is not in it. Asking
    twice with one ``request`` is asking once; it is made of all the rest unless a person names it.
    """

    beamline: str
    reason: str
    since: datetime | None = None
    until: datetime | None = None
    technique: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    request: str = ""

    @property
    def key(self) -> str:
        """Return the request that the runs belong to."""
        if self.request:
            return self.request
        told = [self.beamline, self.reason, self.since, self.until, self.technique, self.overrides]
        canonical = json.dumps(told, sort_keys=True, default=str, ensure_ascii=False)
        return f"reprocess-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Estimate:
    """What a wish comes to.

    ``refused`` counts the datasets that cannot be reduced as they stand, by state. ``seconds`` is
    what the runs take one after the other, as the last ones tell; None if none has ended yet.
    ``bytes`` is the room that the new versions need beside the old ones.
    """

    request: str
    beamline: str
    datasets: int
    already: int
    refused: dict[str, int]
    seconds: float | None
    bytes: int


@dataclass(frozen=True)
class Asked:
    """What came of a wish: new runs, those that were there already, and what was refused."""

    request: str
    beamline: str
    new: int
    already: int
    refused: list[str]


def estimate(session: Session, wish: Wish) -> Estimate:
    """Tell what a wish comes to, and change nothing.

    Raises
    ------
    InvalidParameters
        The parameters do not fit the flow of one of the datasets.
    NotFound
        There is no such beamline.
    CatalogError
        The request's name cannot be one.
    """
    found = _chosen(session, wish)
    wanted = [each for each in found if each.state == DatasetState.VALIDATED]
    flows = _check_parameters(session, wish, wanted)
    already = _already(session, wish, wanted)
    left = [each for each in wanted if each.id not in already]
    return Estimate(
        request=wish.key,
        beamline=wish.beamline,
        datasets=len(left),
        already=len(already),
        refused=dict(Counter(each.state for each in found if each not in wanted)),
        seconds=_seconds(session, wish.beamline, [flows[each.rule] for each in left]),
        bytes=_bytes(session, wish.beamline, left, flows),
    )


def reprocess(
    engine: Engine, wish: Wish, actor: str, told: Callable[[int, int], None] | None = None
) -> Asked:
    """Ask for a new version of every dataset that a wish names.

    It is done in pieces: if it is cut short, asking again adds what is missing.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    wish : Wish
        What is wanted.
    actor : str
        Who asks.
    told : callable, optional
        Told how many of how many are done.

    Raises
    ------
    InvalidParameters, NotFound, CatalogError
        As for :func:`estimate`; nothing was asked for then.
    """
    with Session(engine) as session:
        found = _chosen(session, wish)
        wanted = [each for each in found if each.state == DatasetState.VALIDATED]
        _check_parameters(session, wish, wanted)
        already = _already(session, wish, wanted)
    refused = [_refusal(each) for each in found if each not in wanted]
    left = [each.id for each in wanted if each.id not in already]
    for first in range(0, len(left), AT_ONCE):
        refused += _ask(engine, wish, actor, left[first : first + AT_ONCE])
        if told is not None:
            told(min(first + AT_ONCE, len(left)), len(left))
    new = len(left) + len(found) - len(wanted) - len(refused)
    return Asked(wish.key, wish.beamline, new, len(already), refused)


def _ask(engine: Engine, wish: Wish, actor: str, datasets: Sequence[UUID]) -> list[str]:
    """Open the runs of some datasets in one transaction; return what was refused meanwhile."""
    refused: list[str] = []
    with Session(engine) as session, session.begin():
        for dataset in datasets:
            try:
                with session.begin_nested():
                    request_run(
                        session,
                        dataset,
                        wish.overrides,
                        actor,
                        wish.reason,
                        request_id=_request_id(wish, dataset),
                    )
            except CatalogError as error:
                refused.append(str(error))
    return refused


@dataclass(frozen=True)
class _Chosen:
    id: UUID
    name: str
    rule: str
    state: str
    state_reason: str | None


def _chosen(session: Session, wish: Wish) -> list[_Chosen]:
    """Return the raw datasets that a wish names, oldest first."""
    if "/" in wish.request or len(wish.request) > 100:
        raise CatalogError(f"The request {wish.request!r} needs a shorter name, and one without /.")
    recipes.beamline_of(session, wish.beamline)
    limits = [
        Dataset.taken_at >= wish.since if wish.since else None,
        Dataset.taken_at < wish.until if wish.until else None,
        Dataset.technique == wish.technique if wish.technique else None,
    ]
    rows = session.execute(
        select(Dataset.id, Dataset.name, Dataset.rule, Dataset.state, Dataset.state_reason)
        .where(
            Dataset.beamline_id == wish.beamline,
            Dataset.kind == Kind.RAW,
            ~Dataset.entry_key.startswith(SERIES),  # new results of its scans bring its own
            Dataset.purged_at.is_(None),
            *(limit for limit in limits if limit is not None),
        )
        .order_by(Dataset.taken_at, Dataset.id)
    )
    return [_Chosen(*row) for row in rows]


def _check_parameters(session: Session, wish: Wish, wanted: Sequence[_Chosen]) -> dict[str, str]:
    """Check the parameters for each rule among the datasets; return the rules' flows."""
    beamline = recipes.beamline_of(session, wish.beamline)
    flows: dict[str, str] = {}
    for rule in sorted({each.rule for each in wanted}):
        recipes.effective_parameters(session, wish.beamline, wish.overrides, rule)
        flows[rule] = recipes.current_flow(session, beamline, rule).flow
    return flows


def _already(session: Session, wish: Wish, wanted: Sequence[_Chosen]) -> set[UUID]:
    """Return the datasets that have a run of this request."""
    requests = [_request_id(wish, each.id) for each in wanted]
    return set(session.scalars(select(Run.dataset_id).where(Run.request_id.in_(requests))))


def _request_id(wish: Wish, dataset: UUID) -> str:
    return f"{wish.key}/{dataset}"


def _refusal(dataset: _Chosen) -> str:
    because = f" ({dataset.state_reason})" if dataset.state_reason else ""
    return f"{dataset.name} cannot be reduced: it is {dataset.state}{because}."


def _seconds(session: Session, beamline: str, flows: Sequence[str]) -> float | None:
    """Return how long runs of some flows take together, as the last ones of each tell."""
    total = 0.0
    for flow, count in Counter(flows).items():
        took = func.extract("epoch", Run.finished_at - Run.started_at)
        last = (
            select(took.label("took"))
            .join(Dataset, Dataset.id == Run.dataset_id)
            .where(
                Dataset.beamline_id == beamline,
                Run.flow == flow,
                Run.state == RunState.COMPLETED,
            )
            .order_by(Run.id.desc())
            .limit(LAST)
            .subquery()
        )
        median = session.scalar(select(func.percentile_cont(0.5).within_group(last.c.took)))
        if median is None:
            return None
        total += count * float(median)
    return total


def _bytes(
    session: Session, beamline: str, left: Sequence[_Chosen], flows: Mapping[str, str]
) -> int:
    """Return the room that new versions need, as past results and sizes of inputs tell."""
    total = 0.0
    for flow in sorted({flows[each.rule] for each in left}):
        mine = [each.id for each in left if flows[each.rule] == flow]
        total += sizes.ratio(session, beamline, flow) * sizes.input_bytes(session, *mine)
    return int(total)
