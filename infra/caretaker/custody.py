"""Care of the data in the background: digests, copies that were asked for, purges cut short."""

import logging
import os
import threading
import time
from datetime import timedelta
from uuid import UUID

import psutil
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.custody import Place, archive, digest_some, resume_purges
from catalog.custody.guard import Busy
from catalog.custody.verifying import OpenPlace, open_places
from catalog.errors import CatalogError
from catalog.models import Replica
from infra.caretaker.job import Care
from infra.sections import Archive

LOG = logging.getLogger(__name__)
ACTOR = "caretaker"
SLICE_SECONDS = 30.0
LAP_SECONDS = 600.0


class Digests:
    """Hashes what has no digest yet, in slices, at the lowest priority for processor and disk."""

    def __init__(self) -> None:
        self._after: UUID | None = None
        self._rest_until = 0.0

    def work(self, care: Care) -> None:
        """Hash for a while; after the last file, files out of reach get their next turn later."""
        if time.monotonic() < self._rest_until:
            return
        step_back()
        until = time.monotonic() + SLICE_SECONDS
        done, self._after = digest_some(
            care.engine, self._after, lambda: care.stopped.is_set() or time.monotonic() > until
        )
        if self._after is None and not done:
            self._rest_until = time.monotonic() + LAP_SECONDS
        if done:
            LOG.info("%d files got their digest", done)


def step_back() -> None:
    """Let this thread have what processor and disk have left over."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, 19)
    psutil.Process(thread).ionice(psutil.IOPRIO_CLASS_IDLE)


def go_on_copying(care: Care) -> None:
    """Make the copies that were asked for, and go on with those that were cut short."""
    step_back()
    settings = care.settings.archive
    open_place = places(settings)
    with Session(care.engine) as session:
        wanted = select(Replica).where(Replica.state == "copying").order_by(Replica.id)
        waiting = [(each.dataset_id, each.place, each.actor) for each in session.scalars(wanted)]
    for dataset_id, address, actor in waiting:
        if care.stopped.is_set():
            return
        try:
            archive(
                care.engine,
                dataset_id,
                open_place(address),
                actor=actor,
                retention=retention(settings),
            )
        except Busy:
            continue  # a person's command is at it
        except CatalogError as error:
            LOG.error("%s", error)


def go_on_purging(care: Care) -> None:
    """Go on with purges that were cut short."""
    for done in resume_purges(care.engine, places(care.settings.archive), actor=ACTOR):
        LOG.info("The purge of %s went on: %d files removed", done.name, done.removed)
        for each in done.left:
            LOG.warning("The purge of %s waits: %s", done.name, each)


def places(settings: Archive) -> OpenPlace:
    """Return what opens a place of copies by its address."""
    return open_places([Place(settings.place, settings.options)] if settings.place else [])


def retention(settings: Archive) -> timedelta | None:
    """Return how long a copy is to be kept."""
    return timedelta(days=settings.retention_days) if settings.retention_days else None
