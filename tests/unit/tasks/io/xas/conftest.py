"""Real spectra, and what larch and numpy say about them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.io.probe import probe
from tasks.io.spectra import RawSpectra, ScanReference, Spectra, open_spectra

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[5] / ".." / "shared" / "data"))


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """Find a real file, or skip."""

    def find(name: str) -> Path:
        path = DATA / "xas" / name
        if not path.exists():
            pytest.skip(f"no real data: {path} is missing; set DAYSEYE_DATA to the folder")
        return path

    return find


@pytest.fixture(scope="session")
def larch(real) -> dict[str, dict[str, Any]]:
    """What xraylarch found in each XDI file."""
    content = json.loads(real("larch_reference.json").read_text())
    return {each["file"]: each for each in content["results"]}


@pytest.fixture
def opened() -> Callable[..., Spectra]:
    """Open what a file holds as the platform would: probed, then by reference."""

    def open_one(path: Path, inner: str | None = None) -> Spectra:
        entries = probe(path, technique="xas")
        entry = next(each for each in entries if inner in (None, each.inner_path))
        assert entry.problem is None
        return open_spectra(ScanReference(str(path), entry.inner_path, entry.format))

    return open_one


@pytest.fixture
def raw(opened) -> Callable[..., RawSpectra]:
    """Read all of a dataset."""

    def read(path: Path, inner: str | None = None) -> RawSpectra:
        with opened(path, inner) as spectra:
            return spectra.read()

    return read
