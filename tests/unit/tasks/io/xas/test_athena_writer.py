"""Athena projects written are read back as they were."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from tasks.io.scan import ScanReference
from tasks.io.xas.athena import READER
from tasks.io.xas.athena_writer import AthenaGroup, write_athena

ENERGY = np.linspace(11719.78254372, 12889.69567328, 325)
MU = np.arctan((ENERGY - 11919.0) / 3.0) / np.pi + 0.5


def group(label: str = "gold's own", **changes: object) -> AthenaGroup:
    given: dict[str, object] = {
        "label": label,
        "energy": ENERGY,
        "mu": MU,
        "element": "Au",
        "edge": "L3",
        "e0": 11919.00618137,
        "parameters": {"bkg_pre1": -150.0, "bkg_pre2": -30.0},
        "titles": ["merged of 3 sweeps", "a [bracket], a comma"],
    }
    return AthenaGroup(**{**given, **changes})  # pyright: ignore[reportArgumentType]


def test_spectra_come_back_with_their_parameters(tmp_path: Path) -> None:
    path = tmp_path / "gold.prj"
    write_athena(path, [group(), group("second \\ 0.12", mu=2 * MU, sigma=0.01 * MU)])
    first, second = READER.entries(path)
    assert (first.problem, second.problem) == (None, None)
    with READER.open(ScanReference(str(path), first.inner_path)) as opened:
        assert opened.facts.title == "gold's own"
        assert (opened.facts.element, opened.facts.edge) == ("Au", "L3")
        assert opened.facts.e0 == pytest.approx(11919.00618137, abs=1e-8)
        block = opened.read(slice(0, 1))
        np.testing.assert_allclose(block.energy[0], ENERGY, rtol=1e-14)
    with READER.open(ScanReference(str(path), second.inner_path)) as opened:
        assert opened.facts.title.endswith("0.12")


def test_the_same_project_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.prj", "two.prj"):
        write_athena(tmp_path / name, [group()])
    assert (tmp_path / "one.prj").read_bytes() == (tmp_path / "two.prj").read_bytes()


def test_a_label_cannot_break_out_of_its_quotes(tmp_path: Path) -> None:
    path = tmp_path / "gold.prj"
    write_athena(path, [group("x');\nsystem('rm');#")])
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert not [line for line in lines if line.startswith("system")]
    assert r"'x\'); system(\'rm\');#'" in next(line for line in lines if line.startswith("@args"))


def test_what_athena_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no numbers"):
        write_athena(tmp_path / "gold.prj", [group(mu=np.full(len(ENERGY), np.nan))])
    with pytest.raises(ValueError, match="at least one"):
        write_athena(tmp_path / "none.prj", [])
