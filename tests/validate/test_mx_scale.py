"""
Scaling and merging of data whose truth is known, and against DIALS on the same intensities.

The truth is 1L2H (PDB, CC0): structure factors of the model, with an anomalous substructure, in
P43. DIALS' is what it scaled of l-cysteine (dials/data-files, CC-BY 4.0).
"""

from functools import cache

import gemmi
import numpy as np
import pytest

from tasks.io.dials import read_experiments
from tasks.io.dials_table import DialsFlag, read_reflections
from tasks.mx.equivalents import equivalents
from tasks.mx.geometry import from_laboratory
from tasks.mx.merge import merge
from tasks.mx.merging_statistics import statistics, statistics_of
from tasks.mx.reflection_files import read_reflection_file
from tasks.mx.reflections import Observations
from tasks.mx.resolution_cut import resolution_cut
from tasks.mx.scale import scale
from tests.unit.tasks.mx.scale_truth import simulate
from tests.unit.tasks.mx.test_resolution_cut import true_crossing
from tests.unit.tasks.mx.test_scale import pulls
from tests.validate.chain import real_data

CELL = (53.89, 53.89, 77.36, 90.0, 90.0, 90.0)
SULPHUR = 3.0
"""Imaginary part of the anomalous scatterers' form factor, in electrons: strong on purpose."""


@cache
def structure_factors(d_min):
    """F of the model and of its sulphur atoms, by index."""
    path = real_data("mx/1l2h/1l2h.cif")
    model = gemmi.read_structure(str(path))
    calculator = gemmi.StructureFactorCalculatorX(model.cell)
    heavy = gemmi.read_structure(str(path))
    for chain in heavy[0]:
        for residue in chain:
            for atom in residue:
                atom.occ *= atom.element.name == "S"
    hkl = gemmi.make_miller_array(model.cell, gemmi.SpaceGroup("P 43"), d_min, 0, unique=True)
    found = {}
    for index in hkl.tolist():
        found[tuple(index)] = (
            calculator.calculate_sf_from_model(model[0], index),
            calculator.calculate_sf_from_model(heavy[0], index) / 16,
        )
    return found


def intensities(hkl, d):
    """I(+) and I(-): the sulphur atoms scatter with an imaginary part."""
    known = structure_factors(float(np.floor(10 * d.min()) / 10 - 0.01))
    pairs = np.array([known.get(tuple(h), (0, 0)) for h in hkl.tolist()])
    whole, heavy = pairs[:, 0], 1j * SULPHUR * pairs[:, 1]
    plus, minus = np.abs(whole + heavy) ** 2, np.abs(whole - heavy) ** 2
    return plus / plus.mean(), minus / plus.mean()


@cache
def protein(strength=150.0):
    return simulate(
        cell=CELL,
        d_min=2.4,
        images=720,
        strength=strength,
        background=40.0,
        b=0.03,
        decay=6.0,
        outliers=0.005,
        intensities=intensities,
        seed=11,
    )


@cache
def scaled(anomalous=True, strength=150.0):
    found = protein(strength)
    return scale(found.observations, [found.crystal], found.rotations, anomalous=anomalous)


def test_scales_of_a_protein_come_back_within_a_per_cent():
    found, result = protein(), scaled()
    kept = result.kept
    wrong = np.log(result.scale / found.scale)[kept]
    free = np.column_stack([np.ones(kept.sum()), 1 / (2 * found.observations.d[kept] ** 2)])
    wrong -= free @ np.linalg.lstsq(free, wrong, rcond=None)[0]
    print(f"ln g: rms {wrong.std():.4f}, largest {np.abs(wrong).max():.4f}")
    assert wrong.std() < 0.01


def test_merged_intensities_of_a_protein_pull_as_they_should():
    merged = merge(scaled())
    pull, true = pulls(merged, protein())
    correlation = np.corrcoef(true, merged.intensity)[0, 1]
    print(f"pull {pull.mean():+.3f} +- {pull.std():.3f}; CC with the truth {correlation:.5f}")
    assert abs(pull.mean()) < 0.1
    assert 0.9 < pull.std() < 1.1
    assert correlation > 0.999
    for order in (np.argsort(true), np.argsort(merged.d)):
        for part in np.array_split(pull[order], 8):
            print(f"  {part.mean():+.3f} +- {part.std():.3f}")
            assert abs(part.mean()) < 0.1
            assert 0.9 < part.std() < 1.15


def test_outliers_and_isa_of_a_protein():
    found, result = protein(), scaled()
    missed = (result.kept & found.outlier).sum() / found.outlier.sum()
    false = (~result.kept & ~found.outlier).sum() / len(result.kept)
    print(f"missed {missed:.3f}, false alarms {false:.1e}, ISa {result.errors.isa:.1f} (33.3)")
    assert missed < 0.05
    assert false < 1e-4
    assert result.errors.isa == pytest.approx(33.3, rel=0.15)


def test_anomalous_differences_of_a_protein():
    merged = merge(scaled())
    true = np.array([np.subtract(*protein().unique[tuple(h)]) for h in merged.hkl.tolist()])
    known = np.isfinite(merged.anomalous)
    found = statistics(scaled()).overall
    correlation = np.corrcoef(true[known], merged.anomalous[known])[0, 1]
    print(f"CC of I(+) - I(-) with the truth {correlation:.3f}, CCanom {found.cc_anom:.3f}")
    assert correlation > 0.8
    assert found.cc_anom > found.cc_anom_critical


def test_cut_of_a_protein_is_where_the_true_correlation_crosses():
    found = protein(1.5)
    merged = merge(scaled(False, 1.5))
    cut, true = resolution_cut(merged), true_crossing(merged, found)
    print(f"{cut.rule}; truth {true:.2f} A")
    assert cut.reached
    assert cut.d_min == pytest.approx(true, abs=0.1)


@cache
def dials():
    """DIALS' observations before and after its scaling, its outliers, crystals and rotations."""
    folder = "mx/l_cysteine_reference/scaled_20_25"
    experiments = read_experiments(real_data(f"{folder}.expt"))
    table = read_reflections(real_data(f"{folder}.refl"))
    flags = table["flags"]
    integrated = int(DialsFlag.INTEGRATED_SUM | DialsFlag.INTEGRATED_PRF)
    excluded = int(DialsFlag.EXCLUDED_FOR_SCALING | DialsFlag.USER_EXCLUDED_IN_SCALING)
    good = ((flags & integrated) == integrated) & ((flags & excluded) == 0)
    table = {name: column[good] for name, column in table.items()}
    sweep, xyz = table["id"].astype(np.int32), table["xyzcal.px"]
    s1 = np.zeros_like(table["s1"])
    for number, each in enumerate(experiments):
        rows = sweep == number
        s1[rows] = from_laboratory(each.geometry, table["s1"][rows], xyz[rows, 2])
    factor = table["lp"] / table["dqe"]
    seen = Observations(
        hkl=table["miller_index"].astype(np.int32),
        intensity=table["intensity.sum.value"] * factor,
        sigma=np.sqrt(table["intensity.sum.variance"]) * factor,
        d=table["d"],
        xyz=xyz,
        s1=s1,
        sweep=sweep,
        flags=np.zeros(len(sweep), dtype=np.int32),
    )
    g = table["inverse_scale_factor"]
    theirs = table["intensity.scale.value"] / g, np.sqrt(table["intensity.scale.variance"]) / g
    kept = (table["flags"] & int(DialsFlag.OUTLIER_IN_SCALING)) == 0
    crystals = [each.crystal for each in experiments]
    return seen, theirs, kept, crystals, [each.geometry.rotation for each in experiments]


def test_l_cysteine_is_merged_as_by_dials():
    seen, (intensity, sigma), kept, crystals, rotations = dials()
    result = scale(seen, crystals, rotations, space_group="P 2 2 2")
    merged = merge(result)
    same = equivalents(seen.hkl, "P 2 2 2")
    weight = np.where(kept, sigma**-2, 0.0)
    total = np.bincount(same.of, weight)
    mean = np.bincount(same.of, weight * intensity) / np.where(total > 0, total, np.nan)
    theirs = dict(zip(map(tuple, same.hkl.tolist()), mean, strict=True))
    peer = np.array([theirs[tuple(h)] for h in merged.hkl.tolist()])
    both = np.isfinite(peer) & (peer > 0) & (merged.intensity > 0)
    linear = np.corrcoef(peer[both], merged.intensity[both])[0, 1]
    logarithmic = np.corrcoef(np.log(peer[both]), np.log(merged.intensity[both]))[0, 1]
    mine = statistics(result, shells=5).overall
    rows = seen.hkl[kept], intensity[kept], sigma[kept]
    other = statistics_of(*rows, crystals[0].cell, "P 2 2 2", shells=5).overall
    print(
        f"CC {linear:.5f}, of log I {logarithmic:.5f}; Rmeas {mine.r_meas:.4f}, DIALS "
        f"{other.r_meas:.4f}; CC1/2 {mine.cc_half:.4f}, {other.cc_half:.4f}; ISa "
        f"{result.errors.isa:.1f}; outliers {(~result.kept).sum()}, DIALS {(~kept).sum()}, both "
        f"{(~result.kept & ~kept).sum()} of {len(kept)}"
    )
    assert linear > 0.999
    assert logarithmic > 0.998
    assert mine.r_meas < 1.1 * other.r_meas
    assert mine.cc_half > other.cc_half - 0.002
    assert mine.completeness == pytest.approx(other.completeness, abs=0.01)


def test_scales_of_l_cysteine_are_those_of_observations_left_out():
    seen, _, _, crystals, rotations = dials()
    rng = np.random.default_rng(4)
    free = rng.random(len(seen)) < 0.1
    whole = scale(seen, crystals, rotations, space_group="P 2 2 2")
    work = scale(seen.take(~free), crystals, rotations, space_group="P 2 2 2")
    ratio = np.log(whole.scale[~free] / work.scale)
    print(f"ln g moves by {ratio.std():.4f} without a tenth of the observations")
    assert ratio.std() < 0.01


def test_deposited_intensities_are_read():
    found = read_reflection_file(real_data("mx/1l2h/1l2h.mtz"))
    assert found.space_group == "P 43"
    assert found.cell == pytest.approx(CELL, abs=1e-3)
    assert len(found.hkl) == 31781
    intensity, sigma = found.intensities()
    assert np.isfinite(intensity).sum() > 25000
    assert (sigma[np.isfinite(sigma)] >= 0).all()
    free = found.free()
    assert free is not None
    assert 0.02 < np.mean(free == 0) < 0.15
