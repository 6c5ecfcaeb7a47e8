"""
Indexing and refinement against DIALS on real data, and against simulated lists of spots.

The reference of L-cysteine tells two cells: the crystal's static one (5.482 8.216 12.146 Å), and
one along the sweep (5.42-5.43 8.14 12.01-12.06 Å), with which DIALS predicted its positions. With
the file's own detector only the latter puts reflections where they are, so it is the reference.
"""

from functools import cache

import numpy as np
import pytest

from tasks.io.dials import read_experiments, read_reflections
from tasks.io.diffraction import ScanReference
from tasks.io.mx.cbf_reader import CbfSeriesReader
from tasks.mx.centroid import centroids
from tasks.mx.crystal import Crystal, cell_of
from tasks.mx.index import NotIndexed, index, index_together
from tasks.mx.lattice import lattices
from tasks.mx.refine import refine
from tasks.mx.reflections import Spots
from tasks.mx.spots import find_spots
from tests.unit.tasks.mx import lattice_truth as truth
from tests.unit.tasks.mx.test_index import right
from tests.validate.chain import real_data

CENTROIDS = "mx/centroid_reference"
REFERENCE = "mx/l_cysteine_reference/scaled_20_25"


@cache
def oligo():
    """DIALS' experiment and its reflections, as spots."""
    experiment = read_experiments(real_data(f"{CENTROIDS}/indexed.expt"))[0]
    table = read_reflections(real_data(f"{CENTROIDS}/indexed.refl"))
    box = table["bbox"][:, 4:] - np.array([0, 1])
    spots = Spots(
        table["xyzobs.px.value"],
        table["xyzobs.px.variance"],
        table["intensity.sum.value"],
        np.full(len(box), 9, np.int32),
        box.astype(np.int32),
    )
    return experiment, table, spots


def test_the_oligo_is_indexed_from_dials_spots():
    experiment, table, spots = oligo()
    found = index(spots, experiment.geometry)
    best = lattices(found.crystal, [spots], [found.hkl], [found.geometry])[0]
    assert best.bravais == "tP"
    assert best.crystal.cell == pytest.approx(experiment.crystal.cell, rel=3e-3)
    named = index(spots, experiment.geometry, cell=experiment.crystal.cell, space_group="P 4")
    assert named.crystal.cell == pytest.approx(experiment.crystal.cell, rel=3e-3)
    theirs = (table["miller_index"] != 0).any(axis=1)
    assert named.indexed[theirs].mean() > 0.75


def test_positions_are_those_that_dials_predicts():
    experiment, table, spots = oligo()
    hkl = table["miller_index"].astype(np.int32)
    theirs = (hkl != 0).any(axis=1) & (table["xyzcal.px"][:, 0] > 0)  # indexed and predicted
    same = centroids(
        experiment.geometry, experiment.crystal.a_matrix, hkl[theirs], spots.xyz[theirs, 2]
    )
    assert np.abs(same - table["xyzcal.px"][theirs]).max() < 1e-6
    start = Crystal(experiment.crystal.a_matrix, "P 4")
    found = refine(spots, hkl, experiment.geometry, start)
    apart = found.calculated[theirs] - table["xyzcal.px"][theirs]
    assert (np.sqrt(np.mean(apart[:, :2] ** 2, axis=0)) < 0.3).all()
    assert np.median(np.abs(apart[:, 2])) < 0.3


@cache
def cysteine():
    """Spots and geometry of the four sweeps."""
    folder = real_data("mx/l_cysteine")
    reader, sweeps = CbfSeriesReader(), []
    for entry in reader.entries(folder):
        with reader.open(ScanReference(str(folder), entry.inner_path)) as images:
            counts = images.read()
            spots = find_spots(counts, images.mask, 0, saturation=images.saturation)
            sweeps.append((spots, images.geometry))
    return sweeps


@cache
def reference():
    """The mean of the cell along the first degrees of DIALS' sweeps."""
    found = read_experiments(real_data(f"{REFERENCE}.expt"))
    return found, np.mean([cell_of(np.linalg.inv(e.crystal.a_matrices[8])) for e in found], axis=0)


def test_the_reference_predicts_with_its_cell_along_the_sweep():
    experiments, _ = reference()
    table = read_reflections(real_data(f"{REFERENCE}.refl"))
    for number, experiment in enumerate(experiments):
        z = table["xyzobs.px.value"][:, 2]
        mine = (table["id"] == number) & (table["intensity.sum.value"] > 200)
        mine &= (z > 0) & (z < 100) & (table["miller_index"] != 0).any(axis=1)
        seen, hkl = table["xyzobs.px.value"][mine], table["miller_index"][mine]
        crystal = experiment.crystal
        along = centroids(experiment.geometry, crystal.at(seen[:, 2]), hkl, seen[:, 2]) - seen
        still = centroids(experiment.geometry, crystal.a_matrix, hkl, seen[:, 2]) - seen
        assert np.median(np.abs(along[:, :2])) < 0.4
        assert np.median(np.abs(still[:, :2])) > 3


def test_cysteine_all_sweeps_from_no_knowledge():
    spots, geometries = zip(*cysteine(), strict=True)
    found = index_together(spots, geometries)
    assert found[0].crystal.cell == pytest.approx(reference()[1], rel=3e-3)
    assert max(each.rmsd[:2].max() for each in found) < 0.5
    best = lattices(
        [each.crystal for each in found],
        spots,
        [each.hkl for each in found],
        [each.geometry for each in found],
    )[0]
    assert best.bravais == "oP"
    assert best.crystal.cell == pytest.approx(reference()[1], rel=3e-3)


@pytest.mark.parametrize("sweep", [0, 1, 2, 3])
def test_cysteine_each_sweep_with_its_known_cell(sweep):
    spots, geometry = cysteine()[sweep]
    cell = (5.5, 8.2, 12.2, 90.0, 90.0, 90.0)
    found = index(spots, geometry, cell=cell, space_group="P 21 21 21")
    assert found.crystal.cell == pytest.approx(reference()[1], rel=3.5e-3)


def test_lattices_of_seven_kinds_are_indexed_whatever_is_wrong():
    """At least 95 %, each within 0.1 % and 0.02 degree."""
    failed, tried = [], 0
    for space_group in truth.CRYSTALS:
        for seed in (2, 5):  # 3 mm off, without and with wrong spots
            shift = 3.0 * np.array([np.cos(seed), np.sin(seed)]) * (seed % 3) / 2
            made = truth.make(space_group, 100 + seed, wrong=0.3 * (seed % 2), shift=shift)
            tried += 1
            try:
                if not right(index(made.spots, made.geometry), made, space_group):
                    failed.append((space_group, seed, "wrong"))
            except NotIndexed:
                failed.append((space_group, seed, "refused"))
    assert len(failed) <= 0.05 * tried, failed
