"""A beamline's folder, a ledger in memory, and a trigger that runs between them."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from catalog.arrivals import Recorded, Sighting
from triggers.arrival import Arrival
from triggers.beamline import Beamline
from triggers.service import Trigger

DEADLINE = 20.0


@dataclass
class Ledger:
    """Takes arrivals as the catalogue does, and keeps their sightings."""

    sightings: list[Sighting] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    files: set[tuple[str, int, int, int]] = field(default_factory=set)
    fail: Callable[[Sighting], None] = lambda sighting: None
    known_calls: int = 0
    reports: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def record(self, arrival: Arrival) -> Recorded:
        return self.record_many([arrival.sighting()])[0]

    def record_many(self, sightings: Sequence[Sighting]) -> list[Recorded]:
        for sighting in sightings:
            self.fail(sighting)
        self.times += [time.monotonic()] * len(sightings)
        self.sightings += sightings
        return [Recorded(uuid.uuid4(), True, each.stage, None, "") for each in sightings]

    def known(self, beamline: Beamline) -> Iterator[tuple[str, int, int, int]]:
        self.known_calls += 1
        return iter(self.files)

    def is_reported(self, beamline: Beamline) -> bool:
        return bool(self.reports)

    def about(self, beamline: Beamline, path: Path, uid: str | None) -> dict[str, Any]:
        return self.reports.get(path, {})

    def of(self, name: str, stage: str = "complete") -> list[Sighting]:
        return [each for each in self.sightings if (each.name, each.stage) == (name, stage)]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


@pytest.fixture
def make_beamline(tmp_path: Path, raw: Path) -> Callable[..., Beamline]:
    def make(**changes: Any) -> Beamline:
        values: dict[str, Any] = {
            "id": "imaging",
            "folders": [raw],
            "output": f"{tmp_path}/processed/{{scan}}",
            "quiet_seconds": 0.3,
            "grace_seconds": 0.2,
            "timeout_seconds": 1.5,
            "rescan_seconds": 0.5,
        }
        return Beamline(**{**values, **changes})

    return make


@pytest.fixture
def beamline(make_beamline: Callable[..., Beamline]) -> Beamline:
    return make_beamline()


@pytest.fixture
def start(beamline: Beamline, ledger: Ledger) -> Iterator[Callable[..., Trigger]]:
    """Start triggers; each is stopped at the end."""
    running: list[tuple[threading.Event, threading.Thread]] = []

    def begin(*beamlines: Beamline, ledger: Any = ledger) -> Trigger:
        trigger, stop = Trigger(beamlines or [beamline], ledger), threading.Event()
        thread = threading.Thread(target=trigger.run, args=(stop,))
        thread.start()
        running.append((stop, thread))
        return trigger

    yield begin
    for stop, thread in running:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """Ask again and again until something is true, for a while."""

    def wait(ask: Callable[[], Any], seconds: float = DEADLINE) -> Any:
        end = time.monotonic() + seconds
        while not (answer := ask()):
            assert time.monotonic() < end, "it has not come"
            time.sleep(0.005)
        return answer

    return wait


@pytest.fixture
def write_scan() -> Callable[..., Path]:
    """Write a DXchange scan with calibrations inside; a file that is there is written over.

    That goes by plain bytes: within one process HDF5 does not open a file twice for reading and
    writing, as the trigger and an acquisition, which are two, do.
    """

    def write(path: Path, uid: str | None = None, frames: int = 5, planned: int = 5) -> Path:
        noise = np.random.default_rng(abs(hash((path.name, uid))) % 2**32)
        scratch = path.with_name(f".new-{path.name}") if path.exists() else path
        with h5py.File(scratch, "w") as file:
            if uid:
                file.attrs["scan_uid"] = uid
            file["exchange/theta"] = np.arange(planned, dtype=float)
            for name, count in (("data", frames), ("data_white", 2), ("data_dark", 2)):
                file[f"exchange/{name}"] = noise.integers(0, 999, (count, 4, 6), np.uint16)
        if scratch != path:
            path.write_bytes(scratch.read_bytes())
            scratch.unlink()
        return path

    return write


@pytest.fixture
def write_entry() -> Callable[..., Path]:
    """Add an NXtomo entry to a file."""

    def write(path: Path, entry: str, uid: str | None = None, data: Any = None) -> Path:
        with h5py.File(path, "a") as file:
            group = file.create_group(entry)
            group.attrs["NX_class"] = "NXentry"
            group["definition"] = "NXtomo"
            if uid:
                group["entry_identifier_uuid"] = uid
            frames = np.random.default_rng(len(file)).integers(0, 999, (5, 4, 6), np.uint16)
            group["instrument/detector/data"] = frames if data is None else data
            group["instrument/detector/image_key"] = [1, 2, 0, 0, 0]
            group["sample/rotation_angle"] = [0.0, 0, 0, 1, 2]
        return path

    return write


@pytest.fixture
def tiff_series(raw: Path) -> Path:
    """Write a folder of two projections and their angles."""
    (raw / "series").mkdir()
    (raw / "series" / "theta.txt").write_text("0\n90\n")
    for number in range(2):
        image = np.full((4, 6), number, np.uint16)
        tifffile.imwrite(raw / "series" / f"projection_{number}.tif", image)
    return raw / "series"
