"""Whether there is room for a run's results, with what those under way will still write."""

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import sizes
from catalog.models import Beamline
from catalog.outbox import Unsent
from catalog.recipes import output_root
from flows.registry import FLOWS
from infra.settings import Runs

LOG = logging.getLogger(__name__)
GB = 1e9


@dataclass(frozen=True)
class Place:
    """A file system that results go to: ``device`` tells it from others."""

    root: Path
    device: int
    free: int


def expected_bytes(session: Session, dispatch: Unsent) -> int:
    """Estimate how much a run's results need: the flow knows, or past results and inputs tell."""
    for entry in FLOWS.values():
        if entry.name == dispatch.flow and entry.output_bytes is not None:
            known = entry.output_bytes(dispatch.detector, dispatch.metadata, dispatch.parameters)
            if known is not None:
                return known
    read = sizes.input_bytes(session, dispatch.dataset_id)
    if not read:
        return sizes.latest_bytes(session, dispatch.dataset_id)
    return int(sizes.ratio(session, dispatch.beamline, dispatch.flow) * read)


def full_places(session: Session, limits: Runs) -> dict[str, str]:
    """Return the beamlines whose results' disk is as good as full, with a sentence for each."""
    full: dict[str, str] = {}
    for beamline, template in session.execute(select(Beamline.id, Beamline.output_template)):
        here = place(Path(output_root(template)))
        if here.free < limits.free_disk_gb * GB:
            full[beamline] = (
                f"only {here.free / GB:.1f} GB are free where results go ({here.root}); "
                f"runs.free_disk_gb is {limits.free_disk_gb:g}"
            )
    return full


def too_little(
    session: Session, dispatches: Sequence[Unsent], needed: int, limits: Runs
) -> str | None:
    """Say why there is no room for the results of some dispatches of one beamline, if so."""
    template = session.scalars(
        select(Beamline.output_template).where(Beamline.id == dispatches[0].beamline)
    ).one()
    here = place(Path(output_root(template)))
    promised = sum(_still_to_come(each, here) for each in sizes.promised(session))
    if here.free - promised - needed >= limits.free_disk_gb * GB:
        return None
    return (
        f"needs {needed / GB:.2f} GB in {here.root}: {here.free / GB:.2f} GB are free, of which "
        f"runs under way will fill {promised / GB:.2f} GB and {limits.free_disk_gb:g} GB "
        "(runs.free_disk_gb) stay free"
    )


def place(root: Path) -> Place:
    """Return the file system of a folder that may not exist yet."""
    existing = next(each for each in (root, *root.parents) if each.exists())
    return Place(root, existing.stat().st_dev, shutil.disk_usage(existing).free)


def _still_to_come(promise: sizes.Promise, here: Place) -> int:
    """Return what of a promise to this file system is not on the disk yet."""
    folder = Path(promise.output_folder)
    if place(folder).device != here.device:
        return 0
    written = sum(_size(each) for each in folder.glob(".*.partial"))
    return max(0, promise.bytes - written)


def _size(folder: Path) -> int:
    """Return the bytes below a folder that is being written to, and may be renamed meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                total += path.stat().st_blocks * 512  # a volume is a hole until it is written
            except FileNotFoundError:
                LOG.debug("%s was moved while it was measured", path)
    return total
