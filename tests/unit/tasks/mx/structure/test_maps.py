"""Maps, blobs and pictures of a crystal that lacks a piece of its model; children; data files."""

import sys

import gemmi
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.structure.blobs import find_blobs
from tasks.mx.structure.children import run_logged
from tasks.mx.structure.maps import read_maps, write_map
from tasks.mx.structure.observed import read_merged
from tasks.mx.structure.pictures import draw_blob, draw_candidates, draw_cycles
from tasks.mx.structure.placed import write_data
from tasks.mx.structure.result import Candidate, Cycle
from tests.unit.tasks.mx.structure import molecules

CELL = (41.0, 36.0, 47.0, 90.0, 103.0, 90.0)


@pytest.fixture(scope="module")
def crystal(tmp_path_factory):
    """A model without its last two residues, and an MTZ with exact coefficients of both maps."""
    whole = molecules.in_crystal(
        molecules.turned(molecules.molecule(2), np.eye(3), (10.0, 9.0, 11.0)), CELL, "P 1 21 1"
    )
    part = whole.clone()
    lost = [np.array(atom.pos.tolist()) for atom in (*part[0][0][-1], *part[0][0][-2])]
    del part[0][0][-1]
    del part[0][0][-1]
    hkl = gemmi.make_miller_array(whole.cell, gemmi.SpaceGroup("P 1 21 1"), 2.2)
    full, less = (molecules.structure_factors(each, hkl) for each in (whole, part))
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.SpaceGroup("P 1 21 1")
    mtz.set_cell_for_all(whole.cell)
    mtz.add_dataset("maps")
    columns = [hkl]
    for label, values in (("FWT", full), ("DELFWT", full - less)):
        mtz.add_column(label, "F")
        mtz.add_column(f"PH{label.removesuffix('FWT')}WT", "P")
        columns += [np.abs(values)[:, None], np.degrees(np.angle(values))[:, None]]
    mtz.set_data(np.hstack(columns).astype(np.float32))
    path = tmp_path_factory.mktemp("maps") / "refined.mtz"
    mtz.write_to_file(str(path))
    return part, path, np.array(lost)


def test_the_strongest_blob_is_what_the_model_lacks(crystal):
    part, path, lost = crystal
    _, difference = read_maps(path)
    blobs = find_blobs(difference, part)
    nearest = [
        min(
            part.cell.find_nearest_image(
                gemmi.Position(*atom), gemmi.Position(*blob.position)
            ).dist()
            for atom in lost
        )
        for blob in blobs
    ]
    assert nearest[0] < 2
    assert blobs[0].electrons > 2 * max([0.0, *(b.electrons for b in blobs[2:])])
    assert blobs[0].nearest.startswith("A ")
    atoms = np.array([each.atom.pos.tolist() for each in part[0].all()])
    direct = np.linalg.norm(atoms - np.array(blobs[0].position), axis=1).min()
    assert blobs[0].distance == pytest.approx(direct, abs=1e-3)  # the image beside the model


def test_pictures_and_maps_are_written(crystal, tmp_path):
    part, path, _ = crystal
    best, difference = read_maps(path)
    blob = find_blobs(difference, part)[0]
    draw_blob(tmp_path / "blob.png", blob, 1, best, difference, part)
    draw_cycles(tmp_path / "r.png", [Cycle(0.4, 0.42, 0.02, 2.0), Cycle(0.3, 0.33, 0.01, 1.5)])
    draw_candidates(
        tmp_path / "groups.png",
        [Candidate("P 41", "h,k,l", 0.6, 300.0, 9.0, 0.0), Candidate("P 43", "h,k,l", 0, -1, 3, 0)],
    )
    assert all((tmp_path / f"{name}.png").stat().st_size > 5000 for name in ("blob", "r", "groups"))
    write_map(tmp_path / "best.ccp4", best, part)
    again = gemmi.read_ccp4_map(str(tmp_path / "best.ccp4"))
    again.setup(0.0)
    place = part[0][0][10]["CA"][0].pos
    assert again.grid.interpolate_value(place) == pytest.approx(
        best.interpolate_value(place), rel=0.02
    )


def test_data_come_back_from_the_file_with_their_flags(tmp_path):
    truth = molecules.in_crystal(molecules.molecule(1, 20), CELL, "P 1 21 1")
    observed = molecules.observed(truth, 5.0)
    write_data(tmp_path / "data.mtz", observed, "P 1 21 1")
    again = read_merged(tmp_path / "data.mtz")
    assert again.free.sum() == observed.free.sum()
    assert again.space_group == "P 1 21 1"
    np.testing.assert_allclose(np.sort(again.intensity), np.sort(observed.intensity), rtol=1e-5)


def test_a_file_without_data_is_refused(tmp_path):
    empty = gemmi.Mtz(with_base=True)
    empty.spacegroup = gemmi.SpaceGroup("P 1")
    empty.set_cell_for_all(gemmi.UnitCell(50, 50, 60, 90, 90, 90))
    empty.set_data(np.array([[1, 2, 3]], dtype=np.float32))
    empty.write_to_file(str(tmp_path / "empty.mtz"))
    with pytest.raises(DataError, match="no merged intensities"):
        read_merged(tmp_path / "empty.mtz")
    (tmp_path / "text.mtz").write_text("not an MTZ")
    with pytest.raises(DataError, match="cannot be read"):
        read_merged(tmp_path / "text.mtz")


def test_amplitudes_are_squared(tmp_path):
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.SpaceGroup("P 4")
    mtz.set_cell_for_all(gemmi.UnitCell(50, 50, 60, 90, 90, 90))
    mtz.add_dataset("x")
    for label, kind in (("F", "F"), ("SIGF", "Q"), ("FREE", "I")):
        mtz.add_column(label, kind)
    rows = [[1, 2, n, 10.0, 0.5, n % 20] for n in range(1, 40)]
    mtz.set_data(np.array(rows, dtype=np.float32))
    mtz.write_to_file(str(tmp_path / "f.mtz"))
    observed = read_merged(tmp_path / "f.mtz")
    np.testing.assert_allclose(observed.intensity, 100)
    np.testing.assert_allclose(observed.sigma, 10)
    assert observed.free.sum() == 1  # CCP4's set 0


def test_a_child_that_fails_or_hangs_says_so(tmp_path):
    lines = []
    script = "print('one', flush=True); print('two')"
    run_logged(
        [sys.executable, "-c", script],
        tmp_path,
        tmp_path / "log",
        name="it",
        timeout=20,
        on_line=lambda line: lines.append(line.strip()),
    )
    assert lines == ["one", "two"]
    with pytest.raises(DataError, match=r"it ended with code 1.*no such residue"):
        bad = [sys.executable, "-c", "raise SystemExit('no such residue')"]
        run_logged(bad, tmp_path, tmp_path / "log", name="it", timeout=20)
    with pytest.raises(DataError, match="took longer than 1 s"):
        slow = [sys.executable, "-c", "import time; time.sleep(30)"]
        run_logged(slow, tmp_path, tmp_path / "log", name="it", timeout=1)
