"""Hand over files by path: what the watcher does, once, for `dayseye ingest`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from catalog.arrivals import Recorded
from tasks.errors import DataError, StillBeingWritten
from tasks.io.tiff_folder import list_folder
from triggers.arrival import Arrival
from triggers.beamline import Beamline
from triggers.ledger import Catalogue, Ledger
from triggers.look import POLL_SECONDS, Candidate, Tell
from triggers.scan_folder import walk


def ingest(
    engine: Engine, path: Path, beamline: Beamline, *, timeout_seconds: float = 60.0
) -> list[Recorded]:
    """
    Enter what a file or folder holds, and wait until it is complete.

    Parameters
    ----------
    engine
        The catalogue, in which the beamline has been published.
    path
        A file, the folder of a series of images, or a folder of such; it need not be in the
        beamline's folders.
    beamline
        Whose rules count.
    timeout_seconds
        So long after its last change, what is not complete is entered as incomplete.

    Returns
    -------
    What became of each dataset found.

    Raises
    ------
    DataError
        Nothing is there.
    """
    return hand_over(Catalogue(engine), path, beamline, timeout_seconds)


def hand_over(
    ledger: Ledger, path: Path, beamline: Beamline, timeout_seconds: float
) -> list[Recorded]:
    """Do what `ingest` does with any ledger."""
    patient = beamline.model_copy(update={"timeout_seconds": timeout_seconds})
    found = _candidates(path.absolute(), patient, ledger)
    if not found:
        raise DataError(
            f"{path} is not there, or holds nothing whose name fits the patterns of beamline "
            f"{beamline.id} ({', '.join(beamline.patterns)})."
        )
    return [recorded for each in found for recorded in _wait_for(each, ledger)]


def _candidates(path: Path, beamline: Beamline, ledger: Ledger) -> list[Candidate]:
    paths = [path] if path.exists() else []
    if path.is_dir() and not list_folder(path).images:
        paths = sorted(walk(beamline.model_copy(update={"folders": (path,)})))
    now = time.monotonic()
    return [
        Candidate(
            beamline, each, changed_at=now, due=now, about=partial(ledger.about, beamline, each)
        )
        for each in paths
    ]


def _wait_for(candidate: Candidate, ledger: Ledger) -> list[Recorded]:
    """Look until all that the file holds is complete, broken or too late."""
    recorded: dict[str, tuple[str, Recorded]] = {}

    def tell(arrival: Arrival) -> None:
        recorded[arrival.key] = (arrival.judgement.stage, ledger.record(arrival))

    while not _look(candidate, tell):
        stages = {stage for stage, _ in recorded.values()}
        is_late = time.monotonic() > candidate.changed_at + candidate.beamline.timeout_seconds
        if is_late and stages and stages <= {"complete", "broken", "incomplete"}:
            break
        time.sleep(max(0.0, min(candidate.due - time.monotonic(), POLL_SECONDS)))
    return [each for _, each in recorded.values()]


def _look(candidate: Candidate, tell: Tell) -> bool:
    try:
        return candidate.look(time.monotonic(), tell)
    except StillBeingWritten:  # opened again between the look and the fingerprint
        candidate.retry(time.monotonic() + POLL_SECONDS)
        return False
