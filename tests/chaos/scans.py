"""Scans that are measured once, and written again and again under new names and uids."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import h5py
import numpy as np

from infra.simulator import dxchange
from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan, measure

SMALL = ScanPlan(
    name="small", geometry=Geometry(columns=96, rows=8, projections=91, axis=46.3), flats=(4, 4)
)
TINY = ScanPlan(
    name="tiny",
    geometry=Geometry(columns=32, rows=1, projections=31, axis=15.2),
    flats=(2, 0),
    darks=2,
)
WIDE = ScanPlan(name="big", geometry=Geometry(columns=512, rows=24, projections=400, axis=250.4))


@dataclass(frozen=True)
class Scan:
    """A scan that was brought: what must be found again at the end.

    A file that grows has no digest of its own.
    """

    uid: str
    path: Path
    digest: str | None


class Templates:
    """One file of each kind, from which scans are copied.

    Parameters
    ----------
    store : Path
        A folder on the same disk as the beamlines' folders, for renaming.
    kinds : str
        Which ones to measure: small, tiny, big.
    """

    def __init__(self, store: Path, *kinds: str) -> None:
        store.mkdir()
        self._store = store
        self._contents = {kind: MAKERS[kind](store).read_bytes() for kind in kinds}

    def write(self, kind: str, path: Path, uid: str | None = None) -> Scan:
        """Write a scan with a uid of its own beside the place, and move it in."""
        uid = uid or str(uuid4())
        copy = self._store / f"{uid}.h5"
        copy.write_bytes(self._contents[kind])
        with h5py.File(copy, "r+") as file:
            del file["measurement/scan_uid"]
            file["measurement/scan_uid"] = uid
        digest = sha256(copy)
        path.parent.mkdir(parents=True, exist_ok=True)
        copy.rename(path)
        return Scan(uid, path, digest)


def _simple(plan: ScanPlan):
    return lambda store: dxchange.write(store, plan.identified(), measure(plan))


def _big(store: Path) -> Path:
    recording = measure(WIDE)
    tall = replace(recording, frames=np.tile(recording.frames, (1, 8, 1)))
    return dxchange.write(store, WIDE.identified(), tall)


MAKERS = {"small": _simple(SMALL), "tiny": _simple(TINY), "big": _big}


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
