"""Small scans, written by hand in the layouts that acquisitions write."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

ROWS, COLUMNS = 6, 8
HOLD = """
import sys, h5py
path, mode, frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
with h5py.File(path, "w", libver="latest" if mode == "swmr" else None) as file:
    file["exchange/theta"] = list(range(10))
    data = file.create_dataset("exchange/data", (0, 4, 4), "u2", maxshape=(None, 4, 4),
                               chunks=(1, 4, 4))
    if mode == "swmr":
        file.swmr_mode = True
    data.resize((frames, 4, 4))
    data.flush()
    print("writing", flush=True)
    sys.stdin.readline()
"""


def numbered(count: int, first: int = 0, rows: int = ROWS) -> Any:
    """Frames that each hold their own number plus ten times their rows."""
    frames = np.arange(first, first + count, dtype=np.uint16)[:, None, None]
    return frames + 10 * np.arange(rows, dtype=np.uint16)[:, None] + np.zeros(COLUMNS, np.uint16)


@pytest.fixture
def dxchange(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "scan.h5", frames: int = 10, **changes: Any) -> Path:
        values: dict[str, Any] = {
            "exchange/data": numbered(frames),
            "exchange/data_white": np.full((4, ROWS, COLUMNS), 900, np.uint16),
            "exchange/data_dark": np.full((2, ROWS, COLUMNS), 90, np.uint16),
            "exchange/theta": np.linspace(0, 180, frames, endpoint=False),
        }
        values.update({key.replace("__", "/"): value for key, value in changes.items()})
        with h5py.File(tmp_path / name, "w") as file:
            for key, value in values.items():
                if value is not None:
                    file[key] = value
        return tmp_path / name

    return write


@pytest.fixture
def nxtomo(tmp_path: Path) -> Callable[..., Path]:
    """Write (or add to a file) an entry of 2 darks, 1 flat, projections, 1 flat."""

    def write(
        name: str = "scan.nxs", entry: str = "entry", projections: int = 10, **changes: Any
    ) -> Path:
        keys = np.array([2, 2, 1] + [0] * projections + [1])
        angles = np.zeros(len(keys))
        angles[3:-1] = np.arange(projections) * 18.0
        values: dict[str, Any] = {
            "definition": "NXtomo",
            "instrument/detector/data": numbered(len(keys)),
            "instrument/detector/image_key": keys,
            "sample/rotation_angle": angles,
        }
        values.update({key.replace("__", "/"): value for key, value in changes.items()})
        with h5py.File(tmp_path / name, "a") as file:
            group = file
            for part in entry.split("/"):
                group = group.require_group(part)
                group.attrs["NX_class"] = "NXentry"
            for key, value in values.items():
                if value is not None:
                    group[key] = value
        return tmp_path / name

    return write


@pytest.fixture
def tiff_folder(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "series", frames: int = 10, lost: tuple[int, ...] = ()) -> Path:
        folder = tmp_path / name
        for kind, count in (("projections", frames), ("flats", 3), ("darks", 2)):
            (folder / kind).mkdir(parents=True)
            for number, image in enumerate(numbered(count)):
                if kind != "projections" or number not in lost:
                    tifffile.imwrite(folder / kind / f"{kind[:-1]}_{number}.tif", image)
        angles = [str(angle) for angle in np.linspace(0, 180, frames, endpoint=False)]
        (folder / "angles.txt").write_text("\n".join(["# degrees", *angles]))
        return folder

    return write


@pytest.fixture
def held_file(tmp_path: Path) -> Callable[..., Any]:
    """Let another process write a DXchange file and hold it: ``plain`` or ``swmr``."""

    @contextmanager
    def hold(mode: str, frames: int = 3) -> Iterator[Path]:
        path = tmp_path / f"{mode}.h5"
        writer = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), mode, str(frames)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert writer.stdin and writer.stdout
        assert writer.stdout.readline() == b"writing\n"
        try:
            yield path
        finally:
            writer.stdin.close()
            writer.wait(30)
            writer.stdout.close()

    return hold
