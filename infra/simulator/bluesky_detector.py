"""A detector for Bluesky that writes whole simulated scans, and tells of them as real ones do."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from ophyd.status import Status

from infra.simulator.plan import ScanPlan
from infra.simulator.scan import write_scan

SUFFIXES = {"dxchange": ".h5", "nxtomo": ".nxs"}
DATASETS = {"dxchange": "/exchange/data", "nxtomo": "/entry/instrument/detector/data"}


class TomographyDetector:
    """
    Flies: between kickoff and completion it writes one file of its own accord.

    It speaks Bluesky's protocols Stageable, Preparable, Flyable and WritesStreamAssets.

    Parameters
    ----------
    name
        The key of its data.
    folder
        Where it writes.
    """

    parent = None

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._plan: ScanPlan | None = None
        self._written: Status | None = None
        self._is_announced = False
        self._told = 0
        self._resource = ""

    def stage(self) -> list[object]:
        """Get ready."""
        return [self]

    def unstage(self) -> list[object]:
        """Rest."""
        return [self]

    def prepare(self, plan: ScanPlan) -> Status:
        """Take what is to be measured."""
        self._plan, self._is_announced, self._told = plan, False, 0
        self._resource = str(uuid4())
        return _done()

    def kickoff(self) -> Status:
        """Begin to write."""
        self._written = Status(timeout=600)
        threading.Thread(target=self._write, args=(self._prepared, self._written)).start()
        return _done()

    def complete(self) -> Status:
        """Return what is done when the file is."""
        if self._written is None:
            raise RuntimeError("the detector has not been started")
        return self._written

    @property
    def _prepared(self) -> ScanPlan:
        if self._plan is None:
            raise RuntimeError("the detector has not been prepared")
        return self._plan

    def _write(self, plan: ScanPlan, written: Status) -> None:
        try:
            write_scan(self._folder, plan)
        except Exception as error:
            written.set_exception(error)
            raise
        written.set_finished()

    # -- documents ----------------------------------------------------------------------------

    def describe_collect(self) -> dict[str, Any]:
        """Describe the frames."""
        geometry = self._prepared.geometry
        return {
            self.name: {
                "source": "simulated",
                "dtype": "array",
                "dtype_numpy": "<u2",
                "shape": [1, geometry.rows, geometry.columns],
                "external": "STREAM:",
            }
        }

    def get_index(self) -> int:
        """Return how many frames are written."""
        plan = self._prepared
        is_done = self._written is not None and self._written.done
        counted = plan.geometry.projections - len(plan.lost)
        if plan.layout == "nxtomo":  # flats and darks lie in the same stack
            counted += sum(plan.flats) + plan.darks
        return counted if is_done else 0

    def collect_asset_docs(self, index: int | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Tell where the frames are, once, and how many more there are."""
        if not self._is_announced:
            self._is_announced = True
            yield "stream_resource", self._stream_resource()
        stop = self.get_index() if index is None else index
        if stop > self._told:
            begin, self._told = self._told, stop
            yield (
                "stream_datum",
                {
                    "uid": f"{self._resource}/{begin}",
                    "stream_resource": self._resource,
                    "descriptor": "",
                    "indices": {"start": begin, "stop": stop},
                    "seq_nums": {"start": 0, "stop": 0},  # the RunEngine numbers them
                },
            )

    def _stream_resource(self) -> dict[str, Any]:
        plan = self._prepared
        path = self._folder.absolute() / f"{plan.name}{SUFFIXES[plan.layout]}"
        return {
            "uid": self._resource,
            "data_key": self.name,
            "mimetype": "application/x-hdf5",
            "uri": path.as_uri().replace("file:///", "file://localhost/"),
            "parameters": {"dataset": DATASETS[plan.layout]},
        }


def _done() -> Status:
    status = Status()
    status.set_finished()
    return status
