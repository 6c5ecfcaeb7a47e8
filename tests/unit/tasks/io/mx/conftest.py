"""Real sweeps and what DIALS made of them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[5] / ".." / "shared" / "data"))


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """Find real data of single crystals, or skip."""

    def find(name: str) -> Path:
        path = DATA / "mx" / name
        if not path.exists():
            pytest.skip(f"no real data: {path} is missing; set DAYSEYE_DATA to the folder")
        return path

    return find
