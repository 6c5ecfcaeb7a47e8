"""Energy scales brought into line, and put where a foil says."""

import h5py
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.align import align, align_series, half_step_energy
from tasks.xas.calibrate import calibrate, first_inflection
from tasks.xas.drift import steady_shifts
from tasks.xas.rebin import rebin
from tests.unit.tasks.xas.sweeps_truth import E0, absorption_of, library, real_data

RNG = np.random.default_rng(0)
FINE = np.r_[np.arange(6960.0, 7082, 2), np.arange(7082.0, 7182, 0.25), np.arange(7182.0, 7460, 2)]


def foils(shifts, sigma, energy=FINE):
    seen = absorption_of(energy + np.asarray(shifts)[:, None])
    return seen + sigma * np.random.default_rng(1).normal(size=seen.shape)


def test_shifts_scales_and_backgrounds():
    truth = RNG.uniform(-3, 3, 300)
    scale, slope = RNG.uniform(0.3, 2, (300, 1)), RNG.uniform(-1e-3, 1e-3, (300, 1))
    mu = scale * foils(truth, 0.0) + 0.5 + slope * (FINE - E0)
    found = align(FINE, mu + 0.002 * scale * RNG.normal(size=mu.shape), absorption_of(FINE), E0)
    error = found.shift - truth
    assert np.std(error) < 0.005
    assert abs(np.mean(error)) < 0.001
    assert np.std(error / found.sigma) == pytest.approx(1, abs=0.15)
    assert not found.at_border.any()
    assert found.residual == pytest.approx(0.002 * scale[:, 0], rel=0.3)


def test_a_shift_out_of_range_is_marked():
    found = align(FINE, foils([0.0, 7.0, -7.0], 0.001), absorption_of(FINE), E0)
    assert found.at_border.tolist() == [False, True, True]
    assert np.abs(found.shift[1:]).tolist() == [5.0, 5.0]


def test_missing_points_are_bridged_and_too_many_refused():
    mu = foils([0.5, 0.5, 0.5], 0.001)
    mu[1, 100:103] = np.nan
    mu[2, 130:200] = np.nan
    found = align(FINE, mu, absorption_of(FINE), E0)
    assert found.shift[:2] == pytest.approx(0.5, abs=0.02)
    assert np.isnan(found.shift[2])


def test_a_series_is_its_own_reference():
    truth = np.linspace(-0.4, 0.4, 41)
    found = align_series(FINE, foils(truth, 0.003), E0)
    error = found.shift - truth
    assert np.std(error) < 0.008


def test_a_reference_without_an_edge_or_a_scan_without_one():
    with pytest.raises(DataError, match="no edge in the window"):
        align(FINE, foils([0.0], 0.001), 0.1 + 1e-4 * FINE, E0)
    with pytest.raises(DataError, match="too few to align"):
        align(FINE, foils([0.0], 0.001), absorption_of(FINE), 8979.0)


def test_ten_real_foil_scans_agree_by_another_estimator():
    with h5py.File(real_data("esrf_bliss/Fe_foil_0001_measurement.h5")) as file:
        scans = [file[f"{number}.1/measurement"] for number in range(1, 11)]
        energy = np.array([scan["energy_enc"][()] for scan in scans]) * 1e3
        mu = np.array([scan["mu_trans"][()] for scan in scans])
    grid = np.arange(7050.0, 7200.0, 0.3)
    moved = RNG.uniform(-1, 1, 10)  # as if the monochromator had drifted
    energy += moved[:, None]
    found = align_series(grid, rebin(energy, mu, grid).mu, E0)
    aligned = rebin(energy + found.shift[:, None], mu, grid).mu
    seen = half_step_energy(grid, aligned, E0)
    assert np.ptp(half_step_energy(grid, rebin(energy, mu, grid).mu, E0)) > 0.5
    assert np.ptp(seen) < 0.02
    assert np.std(found.shift + moved) < 0.01


def test_drift_and_play_predict_what_a_noisy_foil_does_not_tell():
    time, rising = np.arange(400), np.arange(400) % 2 == 0
    truth = 0.2 * np.sin(time / 60) + np.where(rising, 0.06, -0.06)
    mu = foils(truth, 0.03)
    found = align(FINE, mu, absorption_of(FINE), E0)
    raw = np.std(found.shift - truth)
    steady = np.std(steady_shifts(found, rising) - truth)
    assert raw > 0.02
    assert steady < 0.5 * raw


def test_real_jitter_of_the_sweeps_is_left_to_them():
    rising = np.arange(400) % 2 == 0
    truth = 0.1 * np.sin(np.arange(400) / 60) + 0.05 * RNG.normal(size=400)
    found = align(FINE, foils(truth, 0.005), absorption_of(FINE), E0)
    assert np.std(steady_shifts(found, rising) - truth) < 1.1 * np.std(found.shift - truth)


def test_a_sweep_that_was_not_fitted_gets_what_its_neighbours_say():
    truth = np.linspace(0, 0.5, 40)
    mu = foils(truth, 0.003)
    mu[17] = np.nan
    mu[23] = absorption_of(FINE - 9.0)
    found = align(FINE, mu, absorption_of(FINE), E0)
    assert np.abs(steady_shifts(found, np.ones(40, bool)) - truth).max() < 0.02


@pytest.mark.parametrize(("step", "bias"), [(0.25, 0.04), (0.5, 0.12)])
def test_the_inflection_point_lies_between_grid_points(step, bias):
    dense = np.arange(7060.0, 7200.0, 0.01)
    slope = np.gradient(absorption_of(dense), dense)
    first = np.flatnonzero(np.diff(np.sign(np.gradient(slope))) < 0)
    truth = dense[first[slope[first] > 0.5 * slope.max()][0]]
    energy = np.arange(7060.0, 7200.0, step)
    error = []
    for shift in RNG.uniform(-0.5, 0.5, 20):
        seen = first_inflection(energy, absorption_of(energy - shift), E0)
        error.append(seen.energy - shift - truth)
    assert np.abs(error).max() < bias


def test_the_uncertainty_of_the_inflection_point():
    energy = np.arange(7060.0, 7200.0, 0.25)
    found = [
        first_inflection(energy, mu, E0, noise=0.005) for mu in foils(np.zeros(60), 0.005, energy)
    ]
    scatter = np.std([each.energy for each in found])
    assert scatter == pytest.approx(np.mean([each.sigma for each in found]), rel=0.35)


def test_foils_of_the_library_lie_where_kraft_says():
    spectra = {name: (energy, mu) for name, energy, mu in library()}
    for name, element, offset in (
        ("Cu/cu_metal_rt", "Cu", 0.0),
        ("Fe/Fe_Foil_rt_2016Foils", "Fe", 0.0),
        ("Ni/Ni_metal_rt_02", "Ni", 0.0),
        ("Zn/Zn_foil", "Zn", 0.0),
        ("Cu/cu_metal_10K", "Cu", 2.9),
    ):
        found = calibrate(*spectra[name], element, "K")
        assert found.offset == pytest.approx(offset, abs=0.25), name
        assert found.foil.table == "kraft"
        assert 0 < found.sigma < 0.15


def test_a_calibration_names_whose_value_it_used():
    energy = np.arange(7060.0, 7200.0, 0.25)
    by = {
        table: calibrate(energy, absorption_of(energy), "Fe", "K", table)
        for table in ("kraft", "bearden")
    }
    assert by["bearden"].offset - by["kraft"].offset == pytest.approx(1.25, abs=1e-9)


def test_a_foil_that_was_not_scanned():
    energy = np.arange(7060.0, 7200.0, 0.25)
    with pytest.raises(DataError, match="was not scanned"):
        calibrate(energy, absorption_of(energy), "Cu", "K")
    with pytest.raises(DataError, match="no edge"):
        calibrate(energy, 1 - 1e-3 * (energy - 7060), "Fe", "K")
