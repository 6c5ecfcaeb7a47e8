"""The demo's beamlines: what they measure tonight, and what is true about it."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

from infra.demo_scans import Absorption, Evolution, Tomogram, TrueScan
from infra.simulator import beamline, truth
from infra.simulator.xas import night as spectra
from infra.simulator.xas import truth as spectra_truth


class Night:
    """What one beamline measures, in a thread of its own."""

    def __init__(self, scans: Sequence[TrueScan], measure: Callable[[], None]) -> None:
        self.scans = scans
        self._measure = measure
        self._measured: Future[None] = Future()

    def begin(self) -> None:
        """Begin to measure."""
        Thread(target=self._run, daemon=True, name="beamline").start()

    def _run(self) -> None:
        try:
            self._measured.set_result(self._measure())
        except Exception as error:
            self._measured.set_exception(error)

    def error(self) -> BaseException | None:
        """Return what went wrong, if anything did up to now."""
        return self._measured.exception() if self._measured.done() else None


def imaging_night(raw: Path, truths: Path) -> Night:
    """Plan the night of the imaging beamline, and leave its truth in a folder."""
    jobs = list(beamline.night(beamline.next_number(truths, "scan")))
    scans = [scan for job in jobs for scan in job.scans]
    for scan in scans:
        truth.write(truths, scan)
    known = [Tomogram(scan.name, truth.of(scan).axis) for scan in scans]
    return Night(known, lambda: beamline.measure(jobs, raw))


def spectra_night(raw: Path, truths: Path) -> Night:
    """Plan the night of the absorption beamline, and leave its truth in a folder."""
    jobs = list(spectra.night(beamline.next_number(truths, "quick")))
    for job in jobs:
        spectra_truth.write(truths, job.plan)
    known = [scan for job in jobs for scan in _known(job)]
    return Night(known, lambda: spectra.measure(jobs, raw))


def _known(job: spectra.Job) -> list[TrueScan]:
    """Return the scans of a job, and the series that they are if there are several."""
    scans = job.scans
    known: list[TrueScan] = [Absorption(scan.name, scan.e0, scan.fractions) for scan in scans]
    if len(scans) == 1:
        return known
    name = f"{job.plan.name} series"
    return [*known, Evolution(name, len(scans), scans[0].fractions, scans[-1].fractions)]
