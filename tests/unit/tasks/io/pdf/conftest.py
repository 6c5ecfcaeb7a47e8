"""Images and patterns made in tests, and the real ones."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from fabio.cbfimage import CbfImage
from fabio.edfimage import EdfImage

from tasks.io.entry import Entry
from tasks.io.powder import ScanReference, open_powder
from tasks.io.probe import probe

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[5] / ".." / "shared" / "data"))


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """Find a real file, or skip."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"no real data: {path} is missing; set DAYSEYE_DATA to the folder")
        return path

    return find


@pytest.fixture
def counts() -> Callable[..., np.ndarray]:
    """Make an image of random counts."""

    def make(seed=0, shape=(30, 20), dtype=np.int32) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 60_000, shape).astype(dtype)

    return make


@pytest.fixture
def image(tmp_path, counts) -> Callable[..., Path]:
    """Write an image in the format that its name says."""

    def write(name="Ni_0001.tif", values=None, header=None, sidecar=None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = counts() if values is None else values
        if path.suffix == ".edf":
            EdfImage(values, header=header or {}).write(str(path))
        elif path.suffix == ".cbf":
            CbfImage(values).write(str(path))
        elif path.suffix == ".npy":
            np.save(path, values)
        else:
            tifffile.imwrite(path, values, description=header or "", metadata=None)
        if sidecar is not None:
            path.with_suffix(".json").write_text(json.dumps(sidecar))
        return path

    return write


@pytest.fixture
def entry_of() -> Callable[[Path], Entry]:
    """Look at a file of one dataset."""

    def look(path: Path) -> Entry:
        (entry,) = probe(path, technique="pdf")
        return entry

    return look


@pytest.fixture
def opened():
    """Open what a file holds as the platform would: probed, then by reference."""

    def open_one(path: Path, inner: str | None = None):
        entries = probe(path, technique="pdf")
        entry = next(each for each in entries if inner in (None, each.inner_path))
        assert entry.problem is None, entry.problem
        return open_powder(ScanReference(str(path), entry.inner_path, entry.format))

    return open_one
