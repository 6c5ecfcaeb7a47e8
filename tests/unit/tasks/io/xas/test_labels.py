"""Columns told by their labels."""

import pytest

from tasks.io.xas.labels import assign


@pytest.mark.parametrize(
    ("labels", "counted", "elements"),
    [
        ("I_fluo", [0], [None]),
        ("I_fluo1 I_fluo2", [0, 1], [None, None]),
        ("I_diode I_diode_raw mu_diode", [0], [None]),
        ("FeKa FeKa_det0 FeKa_det1 I_diode", [1, 2], ["Fe", "Fe"]),
        ("FeKa I_diode", [0], ["Fe"]),
        ("simu1:AuLa_det0 simu1:icr_det0", [0], ["Au"]),
        ("fx2_det0_AlKa fx2_det1_AlKa fx2_det0", [0, 1], ["Al", "Al"]),
        ("Fe_det0 roi1_det1 fluo_det2", [0, 1, 2], ["Fe", None, None]),
        ("arsenic_det0 temperature_det1 icr_det0", [0], [None]),
        ("temperature_det0", [], []),
        ("events_det0 FeKa_corr_det0 FeKa_det0", [1], ["Fe"]),
    ],
)
def test_fluorescence_counters(labels, counted, elements) -> None:
    found = assign(["energy", "i0", *labels.split()]).fluorescence
    assert [each.column - 2 for each in found] == counted
    assert [each.element for each in found] == elements


@pytest.mark.parametrize("name", ["murefer", "mu_ref", "mu_reference"])
def test_a_reference_alone_is_no_spectrum_of_a_sample(name) -> None:
    assert not assign(["energy", name]).is_enough
    assert assign(["energy", "mutrans", name]).mu == {"transmission": 1, "reference": 2}


def test_live_times_are_no_energies() -> None:
    assert assign(["energy_livetime_det0", "mono_energy", "i0", "i1"]).energy == 1
