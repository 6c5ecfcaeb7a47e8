"""Lineage: where a dataset comes from and what was made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import Select, Uuid, column, select, true, values
from sqlalchemy.orm import Session

from catalog import models
from catalog.models import Dataset, Run
from catalog.queries.results import full_name
from catalog.queries.views import Lineage, LineageEdge, LineageNode

Direction = Literal["input", "output"]

# so many of what went into a run are shown; a series has thousands
MOST_INPUTS = 50
# so many of them are followed further
MOST_FOLLOWED = 1000


def lineage(session: Session, dataset_id: UUID, *, max_runs: int = 40) -> Lineage | None:
    """Return the runs before and after a dataset with all that went into them and came out.

    A flat field may serve thousands of scans: only the newest ``max_runs`` runs are returned, those
    that used it themselves first, and ``truncated`` says so. So it does where a run took more than
    some fifty datasets that nothing else leads to. None when there is no such dataset.
    """
    centre = session.execute(_dataset_nodes().where(Dataset.id == dataset_id)).first()
    if centre is None:
        return None
    most = max_runs + 1
    reached = _runs(session, dataset_id, "output", most) | _runs(session, dataset_id, "input", most)
    runs = sorted(reached, reverse=True)
    edges, is_cut = _edges(session, runs[:max_runs], dataset_id)
    nodes = _nodes(session, {dataset_id} | _ends(edges))
    known = {node.id for node in nodes}
    return Lineage(
        dataset_id=dataset_id,
        nodes=nodes,
        # what the viewer may not see is not there, nor what leads to it
        edges=[edge for edge in edges if edge.source in known and edge.target in known],
        truncated=is_cut or len(runs) > max_runs,
    )


def _runs(session: Session, dataset_id: UUID, direction: Direction, most: int) -> set[UUID]:
    """Return runs that are reached by going one way only, from run to run, ``most`` or a few more.

    With ``output`` first the run that made the dataset, then those that made its inputs; with
    ``input`` the runs that used it, then those that used what they made. Step by step: a single
    recursive question would go through all runs that a mask has served before it chose the newest.
    """
    datasets: Collection[UUID] = [dataset_id]
    found: set[UUID] = set()
    while datasets and len(found) < most:
        new = set(session.scalars(_entered(datasets, direction, most + len(found)))) - found
        found |= new
        passed = _taken_by(new) if direction == "output" else _made_by(new)
        datasets = set(session.scalars(passed)) if new else ()
    return found


def _taken_by(runs: Collection[UUID]) -> Select[UUID]:
    """Select what went into runs, the newest of it where it is very many."""
    edge = models.Lineage
    taken = select(edge.dataset_id).where(edge.run_id.in_(runs), edge.direction == "input")
    return taken.order_by(edge.dataset_id.desc()).limit(MOST_FOLLOWED)


def _made_by(runs: Collection[UUID]) -> Select[UUID]:
    """Select what came out of runs, without a walk through all that went in."""
    return select(Dataset.id).where(Dataset.run_id.in_(runs))


def _entered(datasets: Collection[UUID], direction: Direction, most: int) -> Select[UUID]:
    """Select the newest runs of each dataset: a short walk along the index for each."""
    edge = models.Lineage
    given = values(column("id", Uuid), name="given").data([(each,) for each in datasets])
    newest = (
        select(edge.run_id)
        .where(edge.dataset_id == given.c.id, edge.direction == direction)
        .order_by(edge.run_id.desc())
        .limit(most)
        .distinct()
        .lateral()
    )
    return select(newest.c.run_id).select_from(given.join(newest, true()))


def _edges(session: Session, runs: Sequence[UUID], centre: UUID) -> tuple[list[LineageEdge], bool]:
    """Return what went into runs and came out, and whether some of it is left out.

    What leads from one of these runs to another, or to the centre, is never left out.
    """
    edge = models.Lineage
    columns = (edge.run_id, edge.direction, edge.role, edge.dataset_id)
    linked = {centre, *session.scalars(_made_by(runs))}
    kept = select(*columns).where(edge.run_id.in_(runs), edge.dataset_id.in_(linked))
    given = values(column("id", Uuid), name="given").data([(run,) for run in runs])
    some = (
        select(*columns)
        .where(edge.run_id == given.c.id)
        .order_by(edge.dataset_id, edge.direction, edge.role)
        .limit(MOST_INPUTS + 1)
        .lateral()
    )
    first = session.execute(select(some).select_from(given.join(some, true()))) if runs else ()
    found = {(run, direction, role, end) for run, direction, role, end in session.execute(kept)}
    counts = Counter[UUID]()
    for run, direction, role, end in first:
        counts[run] += 1
        if counts[run] <= MOST_INPUTS:
            found.add((run, direction, role, end))
    edges = [
        LineageEdge(source=dataset, target=run, role=role)
        if direction == "input"
        else LineageEdge(source=run, target=dataset, role=role)
        for run, direction, role, dataset in sorted(found)
    ]
    return edges, any(count > MOST_INPUTS for count in counts.values())


def _nodes(session: Session, ids: set[UUID]) -> list[LineageNode]:
    datasets = session.execute(_dataset_nodes().where(Dataset.id.in_(ids)).order_by(Dataset.id))
    runs = session.execute(
        select(Run.id, Run.flow, Run.version, Run.state)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .where(Run.id.in_(ids))
        .order_by(Run.id)
    )
    return [
        LineageNode(
            id=key,
            type="dataset",
            kind=kind,
            name=full_name(name, version),
            state=state,
            verdict=verdict,
        )
        for key, kind, name, version, state, verdict in datasets
    ] + [
        LineageNode(id=key, type="run", kind=flow, name=f"run v{version:03d}", state=state)
        for key, flow, version, state in runs
    ]


def _dataset_nodes() -> Select[UUID, str, str, int | None, str, str | None]:
    return select(
        Dataset.id, Dataset.kind, Dataset.name, Dataset.version, Dataset.state, Dataset.verdict
    )


def _ends(edges: list[LineageEdge]) -> set[UUID]:
    return {end for edge in edges for end in (edge.source, edge.target)}
