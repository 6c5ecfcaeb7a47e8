"""BLISS files and HDF5 files of quick scans."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from infra.simulator.xas.cases import dead_time
from infra.simulator.xas.plan import Scan, SeriesPlan
from infra.simulator.xas.series import Series
from infra.simulator.xas.write import write_series
from tasks.io.fingerprint import fingerprint
from tasks.io.probe import UnknownLayoutError, probe
from tasks.io.xas.measurement import BLISS

PLAN = SeriesPlan(sweeps=12, scan=Scan(points=80))
NAME = "esrf_bliss/Fe_foil_0001_measurement.h5"


def measured(plan, name):
    return np.concatenate([block.signals[name] for block in Series(plan).blocks()])


def test_ten_foil_scans_of_bliss(real, raw):
    path = real(NAME)
    entries = probe(path, technique="xas")
    assert [each.inner_path for each in entries] == [f"{number}.1" for number in range(1, 11)]
    assert all(each.has_all_frames and not each.needs_quiet for each in entries)
    assert entries[0].metadata["energy_range_eV"] == [6999.889, 8199.854]
    assert entries[0].started_at.isoformat() == "2025-04-15T11:47:09.602891+00:00"
    found = raw(path, "10.1")
    with h5py.File(path) as file:
        stored = file["10.1/measurement"]
        assert np.array_equal(found.energy[0], stored["energy_enc"][:] * 1000)
        for ours, theirs in {"i0": "I0", "i1": "I1", "i2": "I2"}.items():
            assert np.array_equal(getattr(found, ours)[0], stored[theirs][:])
        assert np.array_equal(found.mu["transmission"][0], stored["mu_trans"][:])
        np.testing.assert_allclose(np.log(found.i0 / found.i1), found.mu["transmission"])
        np.testing.assert_allclose(np.log(found.i1 / found.i2), found.mu["reference"])


def test_known_scans_of_a_growing_file_need_no_second_look(tmp_path, monkeypatch):
    path = write_series(tmp_path, replace(PLAN, sweeps=3), "bliss")
    known = {each.inner_path: each for each in probe(path, technique="xas")}
    assert list(known) == ["1.1", "2.1", "3.1"]
    looked_at = []
    from tasks.io.xas import measurement

    look = measurement._entry
    monkeypatch.setattr(
        measurement,
        "_entry",
        lambda *args, **more: looked_at.append(args[1]) or look(*args, **more),
    )
    with h5py.File(path, "r+") as file:
        file.copy("3.1", "4.1")
    before = fingerprint(path, "2.1")
    found = BLISS.entries_beyond(path, known)
    assert [each.inner_path for each in found] == ["1.1", "2.1", "3.1", "4.1"]
    assert looked_at == ["4.1"]
    assert fingerprint(path, "2.1") == before, "another scan in the file changes nothing of it"


def test_a_scan_of_bliss_without_end_is_still_being_written(tmp_path):
    path = write_series(tmp_path, replace(PLAN, sweeps=2), "bliss")
    with h5py.File(path, "r+") as file:
        del file["1.1/end_time"], file["2.1/end_time"]
    first, last = probe(path, technique="xas")
    assert last.being_written and not last.has_all_frames
    assert not first.being_written, "the next one has begun: it was cut off"


def test_scans_without_an_energy_are_passed_over(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["1.1/measurement/samy"] = np.arange(5.0)
        file["1.1/measurement/I0"] = np.arange(5.0)
    with pytest.raises(UnknownLayoutError, match=r"'/N\.1/measurement' with an energy \(BLISS\)"):
        probe(path, technique="xas")


def test_bliss_as_the_simulator_writes_it(tmp_path, raw):
    plan = replace(PLAN, sweeps=2)
    path = write_series(tmp_path, plan, "bliss")
    for sweep, inner in enumerate(("1.1", "2.1")):
        found = raw(path, inner)
        np.testing.assert_allclose(found.energy[0], measured(plan, "energy")[sweep], rtol=1e-6)


def test_the_diode_of_bliss_is_fluorescence(tmp_path, opened) -> None:
    plan = replace(PLAN, sweeps=1)
    path = write_series(tmp_path, plan, "bliss")
    with opened(path) as spectra:
        assert spectra.facts.mode is None, "transmission as well"
        both = spectra.read()
    np.testing.assert_allclose(both.fluorescence[0], measured(plan, "ifluor"), rtol=1e-6)
    assert "fluorescence" not in both.mu, "it is made of the counts"
    with h5py.File(path, "r+") as file:
        for name in ("I1", "I2", "mu_trans", "mu_ref", "I_diode"):
            del file[f"1.1/measurement/{name}"]
    with opened(path) as spectra:
        assert spectra.facts.mode == "fluorescence"
        alone = spectra.read()
    np.testing.assert_allclose(alone.mu["fluorescence"], both.fluorescence[0] / both.i0)


def test_regions_of_interest_of_bliss(tmp_path, opened) -> None:
    """Each detector element with its rates; not the sum, other lines, the diode, the spectra."""
    energy, rng = np.linspace(7.0, 7.4, 50), np.random.default_rng(0)
    names = [f"{name}_det{element}" for element in (0, 1, 2, 10) for name in (
        "FeKa", "noise", "icr", "ocr", "deadtime", "realtime", "energy_livetime", "events")
    ]  # fmt: skip
    stored = {name: rng.uniform(1, 2, 50) for name in ("I0", "I1", "I_diode", "FeKa", *names)}
    stored["FeKa_det2"] = np.zeros(50)  # an element that is switched off
    path = tmp_path / "mca.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("1.1/measurement")
        for name, values in {"mono_energy": energy, **stored}.items():
            group[name] = values
        group["spectrum_det0"] = rng.integers(0, 9, (50, 1024))
        file["1.1/end_time"] = "2026-01-17T10:00:00"
    with opened(path) as spectra:
        found = spectra.read()
    assert np.array_equal(found.energy[0], energy * 1000)
    for ours, theirs in {"fluorescence": "FeKa", "input_rate": "icr", "output_rate": "ocr"}.items():
        expected = np.stack([stored[f"{theirs}_det{element}"] for element in (0, 1, 10)])
        assert np.array_equal(getattr(found, ours)[:, 0], expected)


def test_a_detector_that_sees_nothing_leaves_the_diode(tmp_path, opened) -> None:
    path = write_series(tmp_path, replace(PLAN, sweeps=1), "bliss")
    with h5py.File(path, "r+") as file:
        group = file["1.1/measurement"]
        group["FeKa_det0"], group["icr_det0"] = np.zeros(80), np.zeros(80)
        group["mu_ref"][:] = np.nan
    with opened(path) as spectra:
        found = spectra.read()
    assert spectra.warnings == () and found.energy.shape == (1, 80)
    assert found.fluorescence.shape == (1, 1, 80) and found.fluorescence.min() > 0
    assert set(found.mu) == {"transmission"} and found.i2 is not None


def test_quick_scans_are_read_in_pieces(tmp_path, opened):
    plan = dead_time(PLAN)
    path = write_series(tmp_path, plan, "quick")
    (entry,) = probe(path, technique="xas")
    assert (entry.present_frames, entry.expected_frames) == (12, 12)
    assert entry.format == "quick" and not entry.needs_quiet
    with opened(path) as spectra:
        assert spectra.shape == (12, 80) and not spectra.is_stream
        assert (spectra.facts.element, spectra.facts.edge) == (plan.element, plan.edge)
        assert spectra.facts.d_spacing == plan.scan.d_spacing
        part = spectra.read(slice(4, 7), slice(10, 30))
    for ours, theirs in {"energy": "energy", "i0": "i0", "i1": "itrans", "i2": "irefer"}.items():
        expected = measured(plan, theirs)[4:7, 10:30]
        np.testing.assert_allclose(getattr(part, ours), expected, rtol=1e-6)
    assert part.fluorescence.shape == part.input_rate.shape == (4, 3, 20)
    np.testing.assert_allclose(part.output_rate[1], measured(plan, "ocr_2")[4:7, 10:30], rtol=1e-6)
    np.testing.assert_allclose(part.times, np.arange(4, 7) * plan.scan.seconds)
    np.testing.assert_allclose(part.count_time, plan.scan.seconds / 80)


@pytest.mark.parametrize(("sweeps", "points"), [(180, 200), (200, 180), (200, 200), (60, 100)])
def test_what_has_a_value_for_each_sweep_is_no_channel(tmp_path, opened, sweeps, points) -> None:
    """Nearly as many sweeps as points: times are times, and no energies are lost."""
    path = write_series(tmp_path, SeriesPlan(sweeps=sweeps, scan=Scan(points=points)), "quick")
    with h5py.File(path, "r+") as file:
        group = file["entry/measurement"]
        group["seconds"] = group["fluo"] = group["mu_ref"] = np.arange(1.0, sweeps + 1)
    with opened(path) as spectra:
        assert spectra.shape == (sweeps, points) and spectra.warnings == ()
        part = spectra.read(slice(0, 3))
    assert part.energy.shape == (3, points) and "reference" not in part.mu
    np.testing.assert_allclose(part.times, [0.0, 0.5, 1.0])
    assert np.ptp(part.count_time) == 0, "that of the attribute"
    assert part.fluorescence.shape == (1, 3, points)


def test_an_energy_that_all_sweeps_share(tmp_path, opened) -> None:
    path = tmp_path / "shared.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/measurement")
        group["energy"] = np.linspace(7000, 7500, 90)
        group["energy_requested"] = np.arange(80.0)
        group["i0"], group["itrans"] = np.random.default_rng(0).uniform(1, 2, (2, 80, 90))
    with opened(path) as spectra:
        assert spectra.shape == (80, 90)
        assert np.array_equal(spectra.read().energy[7], np.linspace(7000, 7500, 90))


def test_energies_of_each_sweep_go_before_one_for_each_sweep(tmp_path, opened) -> None:
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/measurement")
        group["energy"] = np.arange(7000.0, 7080.0)
        group["energy_enc"] = np.linspace(7000, 7500, 90) + np.zeros((80, 1))
        group["i0"], group["itrans"] = np.random.default_rng(0).uniform(1, 2, (2, 80, 90))
    with opened(path) as spectra:
        assert spectra.shape == (80, 90)
        assert spectra.read().energy[0, -1] == 7500


def test_a_channel_that_stopped_early_is_told(tmp_path, opened) -> None:
    path = tmp_path / "short.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("1.1/measurement")
        group["energy_enc"], group["I0"] = np.linspace(7, 7.5, 100), np.arange(100.0)
        group["I1"] = np.arange(1.0, 81.0)
        file["1.1/end_time"] = "2026-01-17T10:00:00"
    with opened(path) as spectra:
        assert spectra.shape == (1, 80)
        assert "of 100 energies only 80 have a reading" in spectra.warnings[0]


def test_an_announced_series_that_is_not_whole_yet(tmp_path):
    path = write_series(tmp_path, PLAN, "quick")
    with h5py.File(path, "r+") as file:
        del file["entry/end_time"]
        for name in ("energy", "i0", "itrans"):
            file[f"entry/measurement/{name}"].resize(9, axis=0)
    (entry,) = probe(path, technique="xas")
    assert (entry.present_frames, entry.expected_frames) == (9, 12)


def test_one_long_stream_of_hdf5(tmp_path, opened):
    phase = np.linspace(0, 6 * np.pi, 6000)
    path = tmp_path / "stream.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/measurement")
        group["energy"] = 7200 - 200 * np.cos(phase) + np.random.default_rng(0).normal(0, 0.1, 6000)
        group["i0"], group["itrans"] = 1000 + phase, 500 + phase
        group["i0"].attrs["dark"], group["i0"].attrs["gain"] = 3.5, 1e8
    with opened(path) as spectra:
        assert spectra.is_stream and spectra.shape == (1, 6000)
        part = spectra.read(points=slice(1000, 1100))
    assert part.i0.shape == (1, 100) and part.i0[0, 0] == 1000 + phase[1000]
    assert part.dark == {"i0": 3.5} and part.gain == {"i0": 1e8}
    (entry,) = probe(path, technique="xas")
    assert entry.needs_quiet and entry.present_frames == 6000


def test_a_hundred_thousand_sweeps_cost_no_memory(tmp_path, opened):
    path = tmp_path / "long.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/measurement")
        for name in ("energy", "i0", "itrans"):
            group.create_dataset(name, (100_000, 1000), "f4", chunks=(64, 1000), fillvalue=7000)
        group["itrans"][99_990:] = 5.0
        group["energy"][:64] = np.linspace(7000, 7500, 1000)
        group["i0"][0, ::2], group["itrans"][0, ::2] = 1.0, 1.0
    with opened(path) as spectra:
        assert spectra.shape == (100_000, 1000)
        part = spectra.read(slice(99_988, 99_992))
    assert part.i1[:, 0].tolist() == [7000, 7000, 5, 5]
