"""Files that are broken on purpose, each in a way that beamlines have seen.

Every function writes into the folder and returns the path of what it wrote.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np

from infra.simulator import nxtomo
from infra.simulator.hdf5 import hidden_until_done
from infra.simulator.plan import Delivery, ScanPlan, measure
from infra.simulator.scan import write_scan

# Delivered at once, so that the fault is there from the first sight of the file.
AT_ONCE = Delivery("rename")


def truncated(folder: Path, plan: ScanPlan) -> Path:
    """Write an HDF5 file whose second half is missing, as after a full disk."""
    name, content = _scan_content(plan)
    return _put(folder / name, content[: len(content) // 2])


def without_flats(folder: Path, plan: ScanPlan) -> Path:
    """Write a scan without flats and darks; `write_calibration` may bring them later."""
    return write_scan(folder, replace(plan, delivery=AT_ONCE, calibrations_inside=False))


def not_a_number(folder: Path, plan: ScanPlan) -> Path:
    """Write a DXchange scan with three projections of nothing but NaN."""

    def spoil(file: h5py.File) -> None:
        frames = np.asarray(file["exchange/data"], dtype=np.float32)
        frames[[5, 6, 30]] = np.nan
        del file["exchange/data"]
        file["exchange/data"] = frames

    name, content = _scan_content(plan, spoil)
    return _put(folder / name, content)


def angles_missing(folder: Path, plan: ScanPlan, share: float = 0.05) -> Path:
    """Write a DXchange scan with fewer angles than projections, without a word on which."""

    def spoil(file: h5py.File) -> None:
        angles = np.asarray(file["exchange/theta"])
        del file["exchange/theta"], file["exchange/frame_ids"]
        file["exchange/theta"] = angles[: round(len(angles) * (1 - share))]
        file["exchange/theta"].attrs["units"] = "deg"

    name, content = _scan_content(plan, spoil)
    return _put(folder / name, content)


def frames_lost(folder: Path, plan: ScanPlan, share: float = 0.05) -> Path:
    """Write a scan whose data acquisition dropped this share of the projections."""
    count = plan.geometry.projections
    lost = np.random.default_rng(plan.seed).choice(count, round(share * count), replace=False)
    numbers = tuple(int(number) for number in sorted(lost))
    return write_scan(folder, replace(plan, delivery=AT_ONCE, lost=numbers))


def text_named_h5(folder: Path, plan: ScanPlan) -> Path:
    """Write a text file that pretends to be HDF5."""
    return _put(folder / f"{plan.name}.h5", b"scan aborted, see the log book\n")


def empty(folder: Path, plan: ScanPlan) -> Path:
    """Write a file of 0 bytes."""
    return _put(folder / f"{plan.name}.h5", b"")


def link_without_target(folder: Path, plan: ScanPlan) -> Path:
    """Write an NXtomo master whose file of frames does not come, until `bring_target`."""
    path = folder / f"{plan.name}.nxs"
    nxtomo.write_master(path, plan, measure(plan))
    return path


def bring_target(folder: Path, plan: ScanPlan) -> Path:
    """Write the file of frames that `link_without_target` left out."""
    return nxtomo.write_frames(folder, plan, measure(plan))


def _nothing(_file: h5py.File) -> None:
    """Spoil nothing."""


def _scan_content(
    plan: ScanPlan, spoil: Callable[[h5py.File], None] = _nothing
) -> tuple[str, bytes]:
    """Return the name and the content of a DXchange file, spoilt before anybody can see it."""
    with TemporaryDirectory() as hidden:
        path = write_scan(Path(hidden), replace(plan, layout="dxchange", delivery=AT_ONCE))
        with h5py.File(path, "r+") as file:
            spoil(file)
        return path.name, path.read_bytes()


def _put(path: Path, content: bytes) -> Path:
    with hidden_until_done(path) as hidden:
        hidden.write_bytes(content)
    return path
