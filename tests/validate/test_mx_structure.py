"""
From merged data and a model to a refined structure: interleukin-1 beta, PDB entry 1L2H (P43).

The model is the entry itself, moved and turned at random; the data are the entry's, in point group
4. The cut model lacks a quarter of its residues. Wrong models are made from the right one.
"""

import shutil
from functools import cache

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.structure.determine import solve_structure
from tasks.mx.structure.isomorphous import place_as_it_stands
from tasks.mx.structure.models import read_model
from tasks.mx.structure.monomers import monomer_library, require_packages
from tasks.mx.structure.observed import read_merged
from tasks.mx.structure.result import ModelSource
from tasks.mx.structure.solve import place_model
from tasks.mx.structure.trimming import trim
from tests.validate.chain import real_data

LOST = range(100, 136)  # a quarter of 144 residues


@pytest.fixture(scope="module")
def refinement():
    """Skip, and say why, where the extra is not installed."""
    try:
        require_packages()
        monomer_library()
    except DataError as error:
        pytest.skip(str(error))


def entry():
    import gemmi

    path = real_data("mx/1l2h/1l2h.cif")
    structure = trim(read_model(path), path).structure
    structure.cell, structure.spacegroup_hm = gemmi.UnitCell(), "P 1"
    return structure


def merged(folder):
    """The entry's data as they would come from scaling: the screw axis is not known."""
    import gemmi

    mtz = gemmi.read_mtz_file(str(real_data("mx/1l2h/1l2h.mtz")))
    mtz.spacegroup = gemmi.SpaceGroup("P 4")
    mtz.write_to_file(str(folder / "merged.mtz"))
    return folder / "merged.mtz"


def anywhere(structure, seed):
    import gemmi

    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    move = gemmi.Vec3(*rng.uniform(-40, 40, 3))
    structure[0].transform_pos_and_adp(gemmi.Transform(gemmi.Mat33(turn.tolist()), move))
    return structure


@cache
def data_in(folder):
    return read_merged(merged(folder))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_in(tmp_path_factory.mktemp("data"))


def solved(folder, structure):
    path = folder / "model.cif"
    structure.make_mmcif_document().write_file(str(path))
    return solve_structure(merged(folder), ModelSource(file=path), (), folder / "structure")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_space_group_is_found_from_anywhere(data, seed):
    solution = place_model(data, anywhere(entry(), seed)[0])
    print("\n".join(map(str, solution.candidates)))
    assert solution.placement.space_group == "P 43"
    assert {each.space_group for each in solution.candidates} == {"P 4", "P 41", "P 42", "P 43"}
    assert solution.gap > 200  # above P 41
    other = [each for each in solution.candidates if each.reindex != "h,k,l"]
    assert len(other) == 1
    assert other[0].llg == pytest.approx(solution.placement.llg, rel=0.05)


def test_the_whole_model_refines(refinement, tmp_path):
    result = solved(tmp_path, anywhere(entry(), 4))
    print(result.r_work, result.r_free, result.gap, result.bonds, result.angles)
    assert result.space_group == "P 43"
    assert result.r_work < 0.30
    assert result.r_free < 0.33
    assert result.bonds < 0.02
    assert result.angles < 2.5
    assert all(path.stat().st_size > 1000 for path in (*result.maps, *result.pictures.values()))
    assert any("P 43 gains" in note for note in result.notes)


def test_a_quarter_of_the_model_shows_as_blobs(refinement, tmp_path):
    import gemmi

    structure = anywhere(entry(), 5)
    lost = [[atom.pos.tolist() for atom in structure[0][0][number]] for number in LOST]
    kept = structure.clone()
    for number in reversed(LOST):
        del kept[0][0][number]
    result = solved(tmp_path, kept)
    print(result.r_work, result.r_free, result.gap)
    assert result.space_group == "P 43"
    assert result.r_free < 0.40
    refined = gemmi.read_structure(str(result.model))
    names = {str(residue.seqid): residue["CA"][0].pos for residue in refined[0][0].get_polymer()}
    pairs = [
        (names[str(residue.seqid)], residue["CA"][0].pos)
        for residue in kept[0][0].get_polymer()
        if str(residue.seqid) in names
    ]
    found = gemmi.superpose_positions(*(list(each) for each in zip(*pairs, strict=True)))
    assert found.rmsd < 0.5
    moved = [
        gemmi.Position(*found.transform.apply(gemmi.Position(*atom)).tolist())
        for each in lost
        for atom in each
    ]
    refined.setup_cell_images()
    distances = [
        min(
            refined.cell.find_nearest_image(each, gemmi.Position(*blob.position)).dist()
            for each in moved
        )
        for blob in result.blobs[:3]
    ]
    print(distances)
    assert max(distances) < 3.0


def test_the_indexing_follows_a_model_of_the_same_form(data):
    path = real_data("mx/1l2h/1l2h.cif")
    model = trim(read_model(path), path).structure
    for triplet in ("h,k,l", "-h,k,-l"):
        solution = place_as_it_stands(data.reindexed(triplet), model)
        assert solution is not None
        assert (solution.placement.space_group, solution.reindex) == ("P 43", triplet)


def scrambled():
    """Pieces of twelve residues, each turned about its own middle."""
    structure, rng = entry(), np.random.default_rng(0)
    for first in range(0, len(structure[0][0]), 12):
        last = min(first + 12, len(structure[0][0]))
        atoms = [atom for number in range(first, last) for atom in structure[0][0][number]]
        places = np.array([atom.pos.tolist() for atom in atoms])
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turn *= np.sign(np.linalg.det(turn))
        _put(atoms, (places - places.mean(axis=0)) @ turn.T + places.mean(axis=0))
    return structure


def stretched():
    """Another fold: longer by a quarter along one axis, shorter along another."""
    structure = entry()
    atoms = [each.atom for each in structure[0].all()]
    places = np.array([atom.pos.tolist() for atom in atoms])
    centre = places.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov((places - centre).T))
    _put(atoms, (places - centre) @ axes * np.array([0.8, 1.0, 1.25]) @ axes.T + centre)
    return structure


def _put(atoms, places):
    import gemmi

    for atom, place in zip(atoms, places, strict=True):
        atom.pos = gemmi.Position(*place)


@pytest.mark.parametrize("wrong", [scrambled, stretched])
def test_a_wrong_model_is_refused(data, wrong):
    with pytest.raises(DataError, match="no solution that stands out") as refusal:
        place_model(data, anywhere(wrong(), 6)[0])
    print(refusal.value)


@pytest.mark.usefixtures("refinement")
def test_from_images_to_a_structure(tmp_path):
    """Images of the entry's crystal are simulated; neither cell nor group is told, a model is."""
    from flows.mx.recipe import Recipe
    from flows.mx.without_platform import reduce_sweep
    from infra.local_reduction import local_reduction
    from infra.simulator.mx.plan import Crystal, Detector, Rotation, SweepPlan
    from infra.simulator.mx.write import write_sweep
    from tasks.io.scan import ScanReference

    source = real_data("mx/1l2h/1l2h.cif")
    raw = tmp_path / "raw"
    raw.mkdir()
    shutil.copyfile(source, raw / "model.cif")
    cell = (53.89, 53.89, 77.36, 90.0, 90.0, 90.0)
    crystal = Crystal("P 43", cell, structure=source, d_min=1.9)
    plan = SweepPlan(
        "images",
        detector=Detector(distance=110.0),
        crystal=crystal,
        rotation=Rotation(0.0, 1.0, 100),
    )
    write_sweep(raw, plan, "cbf")
    with local_reduction(ScanReference(str(raw)), "images", tmp_path / "out", 0) as run:
        result = reduce_sweep(run, Recipe(model="model.cif"))
    found = result.solved.structure
    print(found.space_group, found.r_work, found.r_free, result.reduced.merged.cell)
    assert result.reduced.merged.cell == pytest.approx(cell, rel=1e-3)
    assert found.space_group == "P 43"
    assert found.r_work < 0.30
    assert found.r_free < 0.33
    names = {path.name for path in run.folder.iterdir()}
    assert {"out_model.mmcif", "out_2fofc.ccp4", "out_fofc.ccp4", "blob_1.png"} <= names
