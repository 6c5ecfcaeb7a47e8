import json
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import get_context

import h5py
import hdf5plugin  # noqa: F401  (registers the filters)
import numpy as np
import pytest

from infra.simulator.xas import qex, quick, standards, truth
from infra.simulator.xas.cases import dead_time, missing_standard, wrong_element
from infra.simulator.xas.plan import BRAGG, Scan, SeriesPlan
from infra.simulator.xas.series import Series
from infra.simulator.xas.write import write_series, write_standards

PLAN = SeriesPlan(sweeps=70, scan=Scan(points=60), proposal="2026-0117")


def measured(plan, name):
    return np.concatenate([block.signals[name] for block in Series(plan).blocks()])


def test_quick_tables_are_sweeps_by_points(tmp_path):
    plan = wrong_element(PLAN).identified()
    path = write_series(tmp_path, plan, truth_folder=tmp_path / "truth")
    assert [child.name for child in sorted(tmp_path.iterdir())] == ["series_0001.h5", "truth"]
    with h5py.File(path) as file:
        measurement = file["entry/measurement"]
        for name in ("energy", "i0", "itrans", "irefer", "ifluor"):
            assert measurement[name].shape == (70, 60)
            np.testing.assert_allclose(measurement[name], measured(plan, name), rtol=1e-6)
        assert measurement["energy"].attrs["units"] == "eV"
        np.testing.assert_allclose(measurement["times"], np.arange(70) * 0.5)
        assert measurement.attrs["element"] == "Cu"
        assert measurement.attrs["edge"] == "K"
        assert measurement.attrs["d_spacing"] == 3.13551
        assert measurement.attrs["sample"] == plan.sample_name
        assert file["entry/title"].asstr()[()] == plan.title
        assert file["entry/start_time"].asstr()[()] == plan.started_at.isoformat()
        assert file["entry/entry_identifier_uuid"].asstr()[()] == plan.uid
    assert truth.read(tmp_path / "truth/series_0001.json").element == "Fe"


def test_quick_files_carry_counting_channels_and_may_be_unpacked(tmp_path):
    path = quick.write(tmp_path, dead_time(PLAN), packing="none")
    with h5py.File(path) as file:
        names = set(file["entry/measurement"])
        assert {"ifluor_1", "icr_1", "ocr_1", "ifluor_4", "icr_4", "ocr_4"} < names
        assert file["entry/measurement/icr_2"].attrs["units"] == "counts/s"
        assert file["entry/measurement/i0"].compression is None


@pytest.mark.parametrize("form", ["quick", "bliss"])
def test_a_growing_file_can_be_read_in_between(tmp_path, form):
    plan = replace(PLAN, sweeps=10)
    arguments = (tmp_path, plan, form)
    process = get_context("spawn").Process(
        target=write_series, args=arguments, kwargs={"seconds": 2.0}
    )
    process.start()
    path, seen, deadline = tmp_path / "series_0001.h5", set(), time.monotonic() + 60
    while process.is_alive() and time.monotonic() < deadline:
        try:
            with h5py.File(path) as file:
                found = file.get("entry/measurement/ifluor")
                seen.add(len(file) // 2 if form == "bliss" else 0 if found is None else len(found))
        except OSError:  # not there, or open for writing
            time.sleep(0.01)
    process.join()
    assert process.exitcode == 0
    assert len(seen & set(range(1, 10))) >= 3
    with h5py.File(path) as file:
        name = "entry/measurement/energy"
        energy = file[name][-1] if form == "quick" else file["10.1/measurement/energy_enc"][:] * 1e3
    np.testing.assert_allclose(energy, measured(plan, "energy")[-1], rtol=1e-6)


def test_bliss_files_hold_a_scan_after_the_other(tmp_path):
    plan = replace(PLAN, sweeps=3)
    with h5py.File(write_series(tmp_path, plan, "bliss")) as file:
        assert sorted(file) == ["1.1", "1.2", "2.1", "2.2", "3.1", "3.2"]
        scan = file["2.1/measurement"]
        np.testing.assert_allclose(scan["energy_enc"][:] * 1000, measured(plan, "energy")[1])
        np.testing.assert_allclose(scan["mu_trans"], np.log(scan["I0"][:] / scan["I1"][:]))
        np.testing.assert_allclose(scan["mu_ref"], np.log(scan["I1"][:] / scan["I2"][:]))
        assert file["2.1/title"].asstr()[()].startswith("trigscan mvirtual_energy 7.9 6.96 60 ")
        assert file["1.1/end_time"].asstr()[()] == file["2.1/start_time"].asstr()[()]
        assert file["2.2/measurement/srcur"].attrs["units"] == "mA"


def test_a_stream_tells_its_layout_and_turns_with_the_crystal(tmp_path):
    path = qex.write(tmp_path, PLAN, cut=25)
    content = path.read_bytes()
    head, _, data = content.partition(b"_Header_End_\r\n")
    fields = dict(
        line.removeprefix("# ").split(": ", 1)
        for line in head.decode().splitlines()
        if ": " in line
    )
    assert int(fields["FileHeaderSize_byte"]) == len(content) - len(data)
    layout = list(
        zip(fields["DataLineLabels"].split(", "), fields["DataLineFormat"].split(", "), strict=True)
    )
    assert layout[:2] == [("encoder", "float32"), ("time", "uint16")]
    records = np.frombuffer(data, np.dtype(layout))
    assert len(records) == 70 * 60 - 25
    spacing = float(fields["d_spacing"].removesuffix(" A"))
    energy = BRAGG / (2 * spacing * np.sin(np.deg2rad(records["encoder"])))
    np.testing.assert_allclose(energy, measured(PLAN, "energy").ravel()[25:], atol=2e-3)
    clock = np.cumsum(records["time"].astype(float)) / float(fields["AdcClock_Hz"])
    assert clock[-1] == pytest.approx((70 * 60 - 25) * 0.5 / 60, abs=1e-3)
    i0 = measured(PLAN, "i0").ravel()[25:]
    np.testing.assert_allclose(
        records["itrans"][100] / records["i0"][100],
        measured(PLAN, "itrans").ravel()[125] / i0[100],
        rtol=1e-5,
    )
    smooth = np.sign(np.diff(energy[::5]))
    assert np.sum(smooth[1:] != smooth[:-1]) == pytest.approx(69, abs=2)


def test_xdi_files_come_one_per_scan(tmp_path):
    plan = replace(PLAN, sweeps=4)
    path = write_series(tmp_path, plan, "xdi")
    files = sorted(path.iterdir())
    assert [file.name for file in files] == [f"series_0001_0000{n}.xdi" for n in (1, 2, 3, 4)]
    text = files[1].read_text()
    assert text.startswith("# XDI/1.0\n# Column.1: energy eV\n# Column.2: i0\n")
    assert "# Element.symbol: Fe\n" in text
    assert "# ///\n" in text
    columns = standards.read_columns(files[1])
    order = np.argsort(measured(plan, "energy")[1])
    assert (np.diff(columns["energy"]) >= 0).all()
    np.testing.assert_allclose(columns["itrans"], measured(plan, "itrans")[1][order], atol=1e-3)


def test_standards_are_measured_like_spectra(tmp_path):
    plan = missing_standard(replace(PLAN, scan=Scan(points=1000)))
    paths = write_standards(tmp_path, plan)
    assert [path.stem for path in paths] == ["Fe2O3", "FeO", "Fe"]
    for path, read in zip(
        paths, standards.load(["Fe2O3", "FeO", "Fe"], tmp_path, plan.e0), strict=True
    ):
        (model,) = standards.load([path.stem], None, plan.e0)
        near = np.arange(plan.e0 - 20, plan.e0 + 100, 0.5)
        rest = read.at(near) - model.at(near)
        assert 1e-4 < np.std(rest) < 0.03  # measured with noise, and to another definition of 1


def test_the_diode_formats_refuse_counting_channels(tmp_path):
    for form in ("bliss", "qex"):
        with pytest.raises(ValueError, match="quick or xdi"):
            write_series(tmp_path, dead_time(PLAN), form)


def test_the_command_line(tmp_path):
    command = [sys.executable, "-m", "infra.simulator.xas", str(tmp_path / "raw")]
    options = ["--sweeps", "12", "--points", "50", "--case", "missing", "--seed", "5"]
    folders = ["--truth", str(tmp_path / "truth"), "--standards", str(tmp_path / "standards")]
    subprocess.run([*command, *options, *folders], check=True, capture_output=True)
    with h5py.File(tmp_path / "raw/series_0001.h5") as file:
        assert file["entry/measurement/i0"].shape == (12, 50)
    assert json.loads((tmp_path / "truth/series_0001.json").read_text())["missing"] == ["FeS2"]
    assert len(list((tmp_path / "standards").glob("*.xdi"))) == 3
