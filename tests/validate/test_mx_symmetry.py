"""
Symmetry and amplitudes: real crystals of known symmetry, peers, and rates of right answers.

L-cysteine as DIALS integrated it (P212121), an oligonucleotide of 1.8 degrees, and the deposited
intensities of 1l2h (P43, which by all tests here is twinned). Rates are over simulated crystals of
twenty space groups (tests/unit/tasks/mx/intensities.py) and of the model of 1l2h.
"""

import subprocess
import sys
from dataclasses import replace

import gemmi
import numpy as np
import pytest

from tasks.io.dials import read_experiments
from tasks.io.dials_table import read_reflections
from tasks.mx.crystal import Crystal
from tasks.mx.expected_intensity import fractionalising, spacings
from tasks.mx.french_wilson import french_wilson
from tasks.mx.laue import laue_group
from tasks.mx.merged_ice import merged_ice
from tasks.mx.radiation_damage import radiation_damage
from tasks.mx.reflections import Observations
from tasks.mx.reindex import reindex
from tasks.mx.screw_axes import screw_axes
from tasks.mx.symmetry import (
    keys,
    laue_rotations,
    merge_equivalents,
    positions,
    representatives,
    space_group,
)
from tasks.mx.translational_ncs import translational_ncs
from tasks.mx.twinning import twinning
from tasks.mx.wilson import wilson
from tests.unit.tasks.mx.intensities import CELLS, indices, intensities, sweep
from tests.validate.chain import real_data

CYSTEINE = "mx/l_cysteine_reference/scaled_20_25"
OLIGO = "mx/centroid_reference"
LAW = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]])


def integrated(name, kind, whole=0.0):
    """Observations of DIALS' table: summed, fitted or scaled, recorded to more than a part."""
    table = read_reflections(real_data(name))
    value, variance = table[f"intensity.{kind}.value"], table[f"intensity.{kind}.variance"]
    if kind == "scale":
        factor = 1 / table["inverse_scale_factor"]
    else:
        factor = table["lp"] / np.where(table["dqe"] > 0, table["dqe"], np.nan)
        if kind == "sum":
            factor = factor / np.where(table["partiality"] > 0, table["partiality"], np.nan)
    indexed = np.any(table["miller_index"] != 0, axis=1)
    indexed &= table["partiality"] > whole
    good = indexed & (variance > 0) & (table["d"] > 0) & np.isfinite(value * factor)
    found = Observations(
        hkl=table["miller_index"].astype(np.int32),
        intensity=value * factor,
        sigma=np.sqrt(np.maximum(variance, 0)) * factor,
        d=table["d"],
        xyz=table["xyzcal.px"],
        s1=table["s1"],
        sweep=table["id"].astype(np.int32),
        flags=np.zeros(len(value), dtype=np.int32),
    )
    return found.take(good)


def without_symmetry(path):
    return replace(read_experiments(real_data(path))[0].crystal, space_group="P 1")


@pytest.mark.parametrize("kind", ["prf", "sum", "scale"])
@pytest.mark.parametrize("small_molecule", [False, True])
def test_l_cysteine_is_p212121(kind, small_molecule):
    seen = integrated(CYSTEINE + ".refl", kind)
    laue = laue_group(seen, without_symmetry(CYSTEINE + ".expt"))
    print(kind, laue.sentence, [round(each.correlation, 3) for each in laue.operators])
    assert laue.space_group == "P 2 2 2"
    assert not laue.undetermined
    turned = reindex(seen, laue.change_of_basis)
    found = screw_axes(turned, laue.space_group, small_molecule=small_molecule)
    print(found.sentence, [(axis.name, axis.screws) for axis in found.axes])
    assert found.space_groups == ("P 21 21 21",)
    assert not found.undetermined


def test_l_cysteine_shows_no_radiation_damage_that_matters():
    found = radiation_damage(integrated(CYSTEINE + ".refl", "scale"), "P 2 2 2")
    print(found.warning or "no damage", found.relative_b.round(2), found.slope, found.slope_sigma)
    assert found.matters_from is None


@pytest.mark.parametrize("kind", ["prf", "sum"])
@pytest.mark.parametrize("whole", [0.5, 0.99])
def test_nothing_is_claimed_of_an_oligo_of_nine_images(kind, whole):
    """Most are cut by the sweep; of those that are whole, the fourfold axis alone relates any."""
    seen = integrated(OLIGO + "/integrated.refl", kind, whole)
    found = laue_group(seen, without_symmetry(OLIGO + "/experiments.json"))
    print(kind, found.sentence)
    print([(x.order, x.axis, x.pairs, round(x.correlation, 2)) for x in found.operators])
    assert found.undetermined
    if whole > 0.9:
        assert found.operators[0].order == 4
        assert {each.space_group for each in found.groups[:2]} == {"P 4", "P 4 2 2"}


def deposited():
    mtz = gemmi.read_mtz_file(str(real_data("mx/1l2h/1l2h.mtz")))
    value = np.array(mtz.column_with_label("IMEAN"), dtype=np.float64)
    sigma = np.array(mtz.column_with_label("SIGIMEAN"), dtype=np.float64)
    rows = np.isfinite(value) & (sigma > 0)
    hkl = mtz.make_miller_array().astype(np.int32)[rows]
    return hkl, value[rows], sigma[rows], mtz.cell.parameters, "P 43"


def test_1l2h_is_twinned_and_nothing_else():
    hkl, value, sigma, cell, group = deposited()
    found = twinning(hkl, value, sigma, cell, group)
    print(found.warning, found.laws)
    assert found.mean_l < 0.42
    assert found.laws[0].alpha_h == pytest.approx(0.33, abs=0.04)
    assert abs(found.laws[0].alpha_h - found.laws[0].alpha_britton) < 0.04
    assert not translational_ncs(hkl, value, cell, group).warning
    amplitudes = french_wilson(hkl, value, sigma, cell, group)
    assert not amplitudes.expected.warning
    assert not merged_ice(spacings(hkl, cell), value / amplitudes.expected.mean).warning
    line = wilson(hkl, value, cell, group, residues_per_chain=153)
    print(f"B {line.b:.1f} +- {line.b_sigma:.1f} Å², {line.matthews}")
    assert 18 < line.b < 30


CCTBX = """
import sys, numpy
from iotbx import mtz
from cctbx import french_wilson
found = [each for each in mtz.object(sys.argv[1]).as_miller_arrays()
         if "IMEAN" in each.info().labels][0]
found = french_wilson.french_wilson_scale(found.select(found.sigmas() > 0), log=None)
numpy.savez(sys.argv[2], hkl=numpy.array(list(found.indices())), f=found.data().as_numpy_array(),
            sigma=found.sigmas().as_numpy_array())
"""


def by_cctbx(folder):
    pytest.importorskip("servalcat", reason="cctbx comes with the extra mx-structure")
    source, target = str(real_data("mx/1l2h/1l2h.mtz")), folder / "cctbx.npz"
    subprocess.run([sys.executable, "-c", CCTBX, source, str(target)], check=True, cwd=folder)
    with np.load(target) as found:
        return found["hkl"], found["f"], found["sigma"]


def by_servalcat(folder):
    pytest.importorskip("servalcat", reason="servalcat comes with the extra mx-structure")
    source = str(real_data("mx/1l2h/1l2h.mtz"))
    command = [sys.executable, "-m", "servalcat", "fw", "--hklin", source]
    command += ["--labin", "IMEAN,SIGIMEAN", "-o", "peer"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    mtz = gemmi.read_mtz_file(str(folder / "peer.mtz"))
    columns = [np.array(mtz.column_with_label(name)) for name in ("F", "SIGF")]
    return mtz.make_miller_array(), *columns


@pytest.mark.parametrize("peer", [by_cctbx, by_servalcat])
def test_amplitudes_are_those_of_peers(peer, tmp_path):
    hkl, value, sigma, cell, group = deposited()
    mine = french_wilson(hkl, value, sigma, cell, group)
    theirs, f, f_sigma = peer(tmp_path)
    order = np.argsort(keys(hkl))
    at = positions(theirs.astype(np.int32), keys(hkl)[order])
    rows, known = order[at[at >= 0]], at >= 0
    pull = (mine.f[rows] - f[known]) / mine.f_sigma[rows]
    good = np.isfinite(pull)
    correlation = np.corrcoef(mine.f[rows][good], f[known][good])[0, 1]
    ratio = np.median(mine.f_sigma[rows][good] / f_sigma[known][good])
    weak = good & (value[rows] < 2 * sigma[rows])
    print(
        f"{peer.__name__}: CC {correlation:.6f}, difference over sigma {pull[good].mean():.3f} +- "
        f"{pull[good].std():.3f}, weak ones {pull[weak].mean():.3f}, sigmas {ratio:.4f}"
    )
    assert correlation > 0.9999
    assert pull[good].std() < 0.08
    assert abs(pull[weak].mean()) < 0.06
    assert ratio == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("degrees", "noise", "open_ones"), [(90, 3, 0.0), (30, 3, 0.1)])
def test_laue_groups_are_right_and_seldom_undetermined(degrees, noise, open_ones):
    """Twenty space groups; a mean intensity over sigma of 10, scale and decay along the sweep."""
    total = undetermined = wrong = screws_open = screws_wrong = 0
    for symbol, cell in CELLS.items():
        for seed in (11, 12):
            crystal, hkl, truth = intensities(symbol, cell, 2.8, atoms=40, seed=seed)
            seen = sweep(
                crystal, hkl, truth, degrees=degrees, noise=noise, wrong=0.06, decay=8, seed=seed
            )
            found = laue_group(seen, crystal)
            right = space_group(found.space_group).laue_str() == space_group(symbol).laue_str()
            total += 1
            undetermined += found.undetermined
            wrong += not found.undetermined and not right
            if right:
                screws = screw_axes(reindex(seen, found.change_of_basis), found.space_group)
                screws_open += screws.undetermined
                numbers = {space_group(each).number for each in screws.possible}
                screws_wrong += space_group(symbol).number not in numbers
    print(
        f"{degrees} degrees: of {total} crystals {wrong} wrong and {undetermined} undetermined; "
        f"space groups: {screws_wrong} wrong, {screws_open} left open"
    )
    assert wrong == 0
    assert screws_wrong == 0
    assert undetermined <= open_ones * total


MORE = {
    "P 1 2 1": "P 1 21 1",
    "P 2 2 2": "P 21 21 21",
    "P 2 2 21": "P 21 21 21",
    "P 2 21 21": "P 21 21 21",
    "P 4": "P 43",
    "P 42": "P 43",
    "P 4 21 2": "P 43 21 2",
    "P 42 2 2": "P 43 21 2",
    "I 41": "I 4",
    "P 3": "P 31",
    "P 6": "P 65",
    "P 63": "P 65",
    "P 62 2 2": "P 61 2 2",
    "P 42 3 2": "P 41 3 2",
}


def laue_symbol(symbol):
    """The group without screws in the same axes."""
    proper = {each.tobytes() for each in laue_rotations(symbol)}
    for each in gemmi.spacegroup_table():
        alike = each.is_sohncke() and each.is_symmorphic() and each.hm[0] == symbol[0]
        if alike and {one.tobytes() for one in laue_rotations(each.xhm())} == proper:
            return each.xhm()
    raise LookupError(symbol)


@pytest.mark.parametrize("noise", [1, 6])
def test_space_groups_are_right_where_the_axes_were_measured(noise):
    """A whole turn at a short wavelength; mean intensity over sigma of 20 and 5."""
    cells = CELLS | {symbol: CELLS[other] for symbol, other in MORE.items()}
    wrong, left, total = [], [], 0
    for symbol, cell in cells.items():
        for seed in (21, 22, 23):
            crystal, hkl, truth = intensities(symbol, cell, 2.8, atoms=40, seed=seed)
            seen = sweep(
                crystal, hkl, truth, degrees=360, noise=noise, wrong=0.06, wavelength=0.5, seed=seed
            )
            found = screw_axes(seen, laue_symbol(symbol))
            number = space_group(symbol).number
            total += 1
            if found.undetermined:
                left.append(symbol)
            if number not in {space_group(each).number for each in found.possible}:
                wrong.append(symbol)
    print(f"noise {noise}: of {total} wrong {wrong}, undetermined {left}")
    assert not wrong
    assert len(left) <= 0.1 * total


@pytest.fixture(scope="module")
def model():
    """Intensities of the model of 1l2h in the asymmetric unit, to 2.2 Å."""
    structure = gemmi.read_structure(str(real_data("mx/1l2h/1l2h.cif")))
    density = gemmi.DensityCalculatorX()
    density.d_min, density.rate = 2.2, 1.5
    density.set_grid_cell_and_spacegroup(structure)
    density.put_model_density_on_grid(structure[0])
    grid = gemmi.transform_map_to_f_phi(density.grid, half_l=True)
    data = grid.prepare_asu_data(dmin=2.2)
    hkl = np.asarray(data.miller_array, dtype=np.int32)
    value = np.abs(np.asarray(data.value_array)) ** 2
    order = np.argsort(keys(representatives(hkl, laue_rotations("P 43"))))
    hkl, value = representatives(hkl, laue_rotations("P 43"))[order], value[order]
    return hkl, value * 1000 / value.mean(), structure.cell.parameters


def twinned(model, fraction):
    hkl, value, cell = model
    mate = positions(representatives(hkl @ LAW.T, laue_rotations("P 43")), keys(hkl))
    return hkl, (1 - fraction) * value + fraction * value[mate], cell


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.2, 0.33, 0.45])
def test_a_twin_of_1l2h_is_told_and_keeps_its_laue_group(model, fraction):
    hkl, value, cell = twinned(model, fraction)
    crystal = Crystal(fractionalising(cell).T, "P 43")
    full = indices(crystal, 2.4)
    at = positions(representatives(full, laue_rotations("P 43")), keys(hkl))
    seen = sweep(crystal, full[at >= 0], value[at[at >= 0]], degrees=100, noise=1, wrong=0.04)
    laue = laue_group(seen, replace(crystal, space_group="P 1"))
    merged = merge_equivalents(seen.hkl, seen.intensity, seen.sigma, laue_rotations("P 43"))
    found = twinning(*merged[:3], cell, "P 43")
    (law,) = found.laws
    best = [round(each.correlation, 2) for each in laue.operators]
    print(f"{fraction}: {laue.sentence} {best} <|L|> {found.mean_l:.3f} alpha {law.alpha_h:.3f}")
    assert law.alpha_h == pytest.approx(fraction, abs=0.05)
    assert found.suspected == (fraction >= 0.2) or fraction == 0.1
    if fraction <= 0.2:
        assert laue.space_group == "P 4"
        assert not laue.undetermined


def test_false_alarms_and_misses():
    """Twins and pseudo-translations in fifteen crystals each."""
    alarms = {"twin": 0, "shift": 0}
    found = {"twin": 0, "shift": 0}
    for seed in range(15):
        for copies in ((), ((0.01, 0.0, 0.5),)):
            crystal, hkl, truth = intensities(
                "P 43", CELLS["P 43"], 2.4, atoms=60, seed=seed, copies=copies
            )
            proper = laue_rotations("P 43")
            merged, value, _, _ = merge_equivalents(hkl, truth, np.ones(len(hkl)), proper)
            sigma = 0.04 * (value + value.mean() / 4)
            noisy = value + sigma * np.random.default_rng(seed).normal(size=len(value))
            which = twinning(merged, noisy, sigma, crystal.cell, "P 43")
            shift = translational_ncs(merged, noisy, crystal.cell, "P 43")
            alarms["twin"] += which.suspected
            (found if copies else alarms)["shift"] += shift.suspected
            if not copies:
                mate = positions(representatives(merged @ LAW.T, proper), keys(merged))
                mixed = 0.75 * noisy + 0.25 * noisy[mate]
                again = twinning(merged, mixed, sigma, crystal.cell, "P 43")
                found["twin"] += again.suspected
    print(f"false alarms {alarms} (of 30 and 15), found {found} of 15 each")
    assert alarms == {"twin": 0, "shift": 0}
    assert found == {"twin": 15, "shift": 15}
