"""The seam to DIALS: what its commands are told, and what is read from the files they leave.

The commands here are stand-ins that leave real files of DIALS; DIALS itself is no part of the
tests.
"""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.dials import read_experiments
from tasks.io.dials_table import DialsFlag, read_reflections, write_reflections
from tasks.io.scan import ScanReference
from tasks.mx.dials.commands import COMMANDS, Dials, missing_commands, require
from tasks.mx.dials.find_spots import find_spots, source, spots_of, write_spots
from tasks.mx.dials.index import index
from tasks.mx.dials.integrate import integrate
from tasks.mx.dials.scale import scale
from tasks.mx.merge import merge
from tasks.mx.merging_statistics import statistics
from tasks.mx.reflections import Flag

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[6] / "shared" / "data")) / "mx"
OLIGO, CYSTEINE = DATA / "centroid_reference", DATA / "l_cysteine_reference"
real = pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}: set DAYSEYE_DATA")
SCRIPT = """\
#!{python}
import shutil, sys
open("told.txt", "a").write({name!r} + " " + " ".join(sys.argv[1:]) + "\\n")
for source, target in {left!r}:
    shutil.copyfile(source, target)
if {fails!r}:
    print("Sorry: no lattice was found")
    sys.exit(1)
"""
LEFT = {
    "dials.find_spots": [(OLIGO / "indexed.refl", "strong.refl")],
    "dials.refine": [
        (OLIGO / "indexed.expt", "refined.expt"),
        (OLIGO / "indexed.refl", "refined.refl"),
    ],
    "dials.integrate": [(OLIGO / "integrated.refl", "integrated.refl")],
    "dials.scale": [
        (CYSTEINE / "scaled_20_25.expt", "scaled.expt"),
        (CYSTEINE / "scaled_20_25.refl", "scaled.refl"),
    ],
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put commands on the PATH that leave files."""

    def put(fails=()):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in COMMANDS:
            left = [(str(source), target) for source, target in LEFT.get(name, [])]
            script = SCRIPT.format(python=sys.executable, name=name, left=left, fails=name in fails)
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return Dials(tmp_path / "work", cores=3)

    return put


def told(dials):
    return dials.file("told.txt").read_text().splitlines()


@pytest.mark.skipif(shutil.which("dials.index") is not None, reason="DIALS is installed")
def test_without_dials_it_says_what_to_do():
    assert set(missing_commands()) == set(COMMANDS)
    with pytest.raises(DataError, match="install DIALS and start the platform"):
        require()
    with pytest.raises(DataError, match=r"dials\.import is not on the PATH"):
        find_spots(Dials(Path("/nowhere")), ScanReference("a.h5"))


@real
def test_spots_are_found_in_the_images_that_are_meant(install):
    dials = install()
    data = ScanReference("/raw/cryst", "a_1_####.cbf")
    spots = find_spots(dials, data, (1, 9))
    assert told(dials) == [
        "dials.import template=/raw/cryst/a_1_####.cbf output.experiments=imported.expt "
        "image_range=1,9",
        "dials.find_spots imported.expt output.reflections=strong.refl nproc=3",
    ]
    assert len(spots) == 654
    assert source(ScanReference("/raw/a_master.h5")) == "/raw/a_master.h5"


@real
def test_spots_of_others_may_be_indexed(install, tmp_path):
    spots = spots_of(read_reflections(OLIGO / "indexed.refl"))
    write_spots(tmp_path / "strong.refl", spots)
    again = spots_of(read_reflections(tmp_path / "strong.refl"))
    for name in ("xyz", "variance", "intensity", "pixels", "images"):
        np.testing.assert_allclose(getattr(again, name), getattr(spots, name))


@real
def test_a_known_cell_is_told_and_the_crystal_read(install):
    dials = install()
    dials.folder.mkdir()
    known = (42.2, 42.2, 39.7, 90.0, 90.0, 90.0)
    found, share = index(dials, cell=known, space_group="P 43", max_cell=100)
    assert told(dials)[0].endswith(
        "unit_cell=42.2000,42.2000,39.7000,90.0000,90.0000,90.0000 space_group=P43 max_cell=100.0"
    )
    cell = read_experiments(OLIGO / "indexed.expt")[0].crystal.cell
    assert found.crystal.cell == pytest.approx(cell)
    assert (found.rmsd[:2] < 1).all()
    assert share > 0.8


@real
def test_intensities_are_those_of_its_table(install):
    dials = install()
    reflections = integrate(dials, 1.5)
    assert "prediction.d_min=1.500" in told(dials)[0]
    table = read_reflections(OLIGO / "integrated.refl")
    rows = (table["flags"] & int(DialsFlag.INTEGRATED_SUM)) != 0
    assert len(reflections) == rows.sum()
    fitted = ~reflections.has(Flag.NO_PROFILE)
    assert fitted.mean() > 0.95
    values = table["intensity.prf.value"][rows]
    np.testing.assert_allclose(reflections.fitted[fitted], values[fitted])
    expected = table["lp"][rows] / table["dqe"][rows]
    np.testing.assert_allclose(reflections.correction, expected)


@real
def test_what_it_scaled_merges_as_well_as_it_says(install):
    dials = install()
    scaled = scale(dials, anomalous=True, d_min=0.6)
    assert "anomalous=True" in told(dials)[1]
    assert told(dials)[1].endswith("d_min=0.600")
    overall = statistics(scaled).overall
    assert overall.r_meas < 0.05
    assert overall.cc_half > 0.998
    assert len(merge(scaled)) == overall.unique
    drawn = scaled.model.scale(0, np.linspace(0, 10, 5))
    assert np.isfinite(drawn).all()


@real
def test_what_failed_is_told_with_its_last_words(install):
    dials = install(fails=("dials.index",))
    dials.folder.mkdir()
    with pytest.raises(DataError, match=r"dials\.index failed: Sorry: no lattice was found"):
        index(dials)


def test_a_table_is_written_for_no_spots(tmp_path):
    write_reflections(tmp_path / "a.refl", {"id": np.zeros(0, np.int32)})
    assert len(read_reflections(tmp_path / "a.refl")["id"]) == 0
