"""Merging and its statistics: against gemmi, against cctbx in a process of its own, and by hand."""

import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec

import gemmi
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.merge import merge
from tasks.mx.merging_statistics import critical_correlation, statistics, statistics_of
from tasks.mx.scale import scale
from tasks.mx.table_one import table_one
from tests.unit.tasks.mx.scale_truth import simulate

SHELLS = 10
CCTBX = """
import json, sys
import numpy as np
from cctbx import crystal, miller
from cctbx.array_family import flex
from iotbx.merging_statistics import dataset_statistics

data = np.load(sys.argv[1])
symmetry = crystal.symmetry(tuple(data["cell"].tolist()), str(data["group"]))
indices = flex.miller_index([tuple(each) for each in data["hkl"].tolist()])
array = miller.array(
    miller.set(symmetry, indices, anomalous_flag=True),
    flex.double(data["intensity"]), flex.double(data["sigma"]),
).set_observation_type_xray_intensity()
found = dataset_statistics(
    array, n_bins=int(sys.argv[2]), use_internal_variance=False, sigma_filtering=None,
    cc_one_half_significance_level=0.001,
)
print(json.dumps([
    [each.n_obs, each.n_uniq, each.completeness, each.mean_redundancy, each.i_mean,
     each.i_over_sigma_mean, each.r_merge, each.r_meas, each.r_pim, each.cc_one_half_sigma_tau,
     each.cc_one_half, each.cc_one_half_critical_value]
    for each in [*found.bins, found.overall]
]))
"""


@cache
def scaled(anomalous=0.1):
    found = simulate(
        outliers=0.005, strength=60, b_factor=40, d_min=2.8, images=300, anomalous=anomalous
    )
    return scale(found.observations, [found.crystal], found.rotations, anomalous=True)


def kept(result):
    rows = result.kept
    return result.observations.hkl[rows], result.intensity[rows], result.sigma[rows]


def test_statistics_are_gemmis():
    result = scaled()
    hkl, intensity, sigma = kept(result)
    data = gemmi.Intensities()
    cell, group = gemmi.UnitCell(*result.cell), gemmi.SpaceGroup(result.space_group)
    data.set_data(cell, group, hkl, intensity, sigma)
    data.prepare_for_merging(gemmi.DataType.Mean)
    data.remove_systematic_absences()
    binner = gemmi.Binner()
    binner.setup(SHELLS, gemmi.Binner.Method.Dstar3, data)
    mine = statistics(result, shells=SHELLS)
    peers = [*data.calculate_merging_stats(binner, "X"), *data.calculate_merging_stats(None, "X")]
    for peer, own in zip(peers, [*mine.shells, mine.overall], strict=True):
        assert (peer.all_refl, peer.unique_refl) == (own.observations, own.unique)
        assert own.r_merge == pytest.approx(peer.r_merge(), rel=1e-9)
        assert own.r_meas == pytest.approx(peer.r_meas(), rel=1e-9)
        assert own.r_pim == pytest.approx(peer.r_pim(), rel=1e-9)
        assert own.cc_half == pytest.approx(peer.cc_half(), rel=1e-9)


@pytest.mark.skipif(find_spec("iotbx") is None, reason="cctbx-base is not installed")
def test_statistics_are_those_of_cctbx(tmp_path):
    result = scaled()
    hkl, intensity, sigma = kept(result)
    cell, group = np.array(result.cell), result.space_group
    path = tmp_path / "unmerged.npz"
    np.savez(path, hkl=hkl, intensity=intensity, sigma=sigma, cell=cell, group=group)
    command = [sys.executable, "-c", CCTBX, str(path), str(SHELLS)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    mine = statistics(result, shells=SHELLS)
    alike = statistics_of(
        hkl, intensity, np.ones(len(hkl)), result.cell, result.space_group, shells=SHELLS
    )
    peers = json.loads(told.splitlines()[-1])
    parts = zip([*mine.shells, mine.overall], [*alike.shells, alike.overall], strict=True)
    for peer, (own, plain) in zip(peers, parts, strict=True):
        assert [own.observations, own.unique] == peer[:2]
        exact = [
            own.completeness,
            own.multiplicity,
            own.intensity,
            own.i_over_sigma,
            own.r_merge,
            own.r_meas,
            own.r_pim,
        ]
        assert exact == pytest.approx(peer[2:9], rel=1e-9)
        assert own.cc_half == pytest.approx(peer[10], abs=0.08)  # of random halves
        # its sigma-tau method takes means without weights
        assert plain.cc_half == pytest.approx(peer[9], abs=1e-4)
        assert own.cc_half_critical == pytest.approx(peer[11], rel=0.01)


def test_weighted_means_and_their_sigmas_are_right():
    result = scaled()
    merged = merge(result)
    row = int(np.argmax(merged.count))
    where = np.flatnonzero((result.symmetry.hkl == merged.hkl[row]).all(axis=1))[0]
    own = result.kept & (result.symmetry.of == where)
    weights = result.sigma[own] ** -2
    mean = np.average(result.intensity[own], weights=weights)
    assert merged.intensity[row] == pytest.approx(mean)
    assert merged.sigma[row] == pytest.approx(weights.sum() ** -0.5)
    left = weights @ (result.intensity[own] - mean) ** 2
    assert merged.scatter[row] == pytest.approx(np.sqrt(left / (own.sum() - 1) / weights.sum()))
    assert merged.plus_count[row] + merged.minus_count[row] == merged.count[row]


def test_scatter_agrees_with_the_error_model():
    merged = merge(scaled(0.0))
    several = merged.count >= 4
    assert np.mean((merged.scatter / merged.sigma)[several] ** 2) == pytest.approx(1, abs=0.1)


def test_absent_reflections_are_merged_only_without_screw_axes():
    with_screw, without = merge(scaled()), merge(scaled(), "P 4")
    axial = (without.hkl[:, :2] == 0).all(axis=1)
    assert (axial & (without.hkl[:, 2] % 4 != 0)).any()
    along = with_screw.hkl[(with_screw.hkl[:, :2] == 0).all(axis=1), 2]
    assert len(along) > 0
    assert (along % 4 == 0).all()


def test_the_cut_leaves_higher_resolution_out():
    assert merge(scaled(), d_min=4.0).d.min() >= 4.0
    assert statistics(scaled(), d_min=4.0).overall.d_min == pytest.approx(4.0)


def test_an_anomalous_signal_is_seen_and_its_absence_too():
    with_signal = statistics(scaled(), shells=SHELLS)
    assert with_signal.shells[0].cc_anom > with_signal.shells[0].cc_anom_critical
    assert with_signal.overall.anomalous_slope > 1.1
    without = statistics(scaled(0.0))
    assert abs(without.overall.cc_anom) < 0.1
    assert without.overall.anomalous_slope == pytest.approx(1, abs=0.1)


def test_noise_has_no_significant_correlation():
    rng = np.random.default_rng(2)
    hkl = np.repeat(rng.permutation(2000)[:, None] // [100, 10, 1] % 10 + 1, 6, axis=0)
    noise = rng.normal(size=len(hkl))
    cell = (50.0, 60.0, 70.0, 90.0, 90.0, 90.0)
    found = statistics_of(hkl.astype(np.int32), noise, np.ones(len(hkl)), cell, "P 2 2 2", shells=4)
    assert not any(each.significant for each in found.shells)


def test_critical_correlation_is_that_of_students_t():
    assert critical_correlation(10, 0.001) == pytest.approx(0.8467, abs=1e-3)  # t(8) = 4.501


def test_table_one_is_written_in_all_forms():
    found = table_one(scaled(), statistics(scaled()), wavelength=0.9795)
    assert "CC1/2" in found.text()
    assert max(map(len, found.text().splitlines())) < 100
    assert found.markdown().count("|---|---|---|---|") == 1
    assert json.loads(json.dumps(found.numbers()))["overall"]["unique"] > 0


def test_nothing_within_the_limits_is_told():
    with pytest.raises(DataError, match="nothing can be merged"):
        statistics(scaled(), d_min=1000.0)
