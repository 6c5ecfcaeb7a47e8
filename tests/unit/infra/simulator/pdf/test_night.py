import h5py
import pytest

from infra.simulator.beamline import next_number
from infra.simulator.pdf import truth
from infra.simulator.pdf.night import measure, night, truths
from infra.simulator.pdf.scan import Scan


def test_a_night_brings_a_calibrant_an_empty_capillary_samples_and_a_series():
    names = [job.scan.name for job in night(3)]
    assert names == [
        "calib_Ni_0003",
        "container_0003",
        "nickel_0003",
        "ceria_0003",
        "glass_0003",
        "heated_0003",
        "saturated_0003",
    ]
    plans = [job.plan for job in night(3)]
    assert len({plan.uid for plan in plans}) == len(plans)
    assert all(plan.proposal for plan in plans)
    assert [job.scan.name for job in night(3, "calibrant last")][-1] == "calib_Ni_0003"


def test_what_is_expected_is_the_truth():
    expected = truths(3)
    assert expected["nickel_0003"].cell == 3.524
    assert expected["glass_0003"].cell is None
    assert expected["heated_0003"].bad_frames == 2
    heated = next(job.plan for job in night(3) if job.scan.name == "heated_0003")
    true = truth.of(heated)
    assert expected["heated_0003"].cell == pytest.approx(true.cells[~true.bad, 0].mean())
    assert 3.53 < expected["heated_0003"].cell < 3.55
    assert [name for name, scan in expected.items() if scan.refused] == ["saturated_0003"]


def test_rings_are_saturated_where_they_should_be_alone():
    for job in night(3):
        scan = Scan(job.plan)
        over = (scan.expected(0) > 0.8 * job.plan.detector.saturation) & ~scan.pixels.bad
        assert over.any() == job.scan.refused, job.scan.name


def test_the_night_lands_as_files_and_the_next_one_goes_on_counting(tmp_path):
    raw, truth_folder = tmp_path / "raw", tmp_path / "truth"
    raw.mkdir()
    jobs = [job for job in night(3) if job.scan.name in ("container_0003", "nickel_0003")]
    measure(jobs, raw)
    assert sorted(path.name for path in raw.iterdir()) == ["container_0003.h5", "nickel_0003.h5"]
    with h5py.File(raw / "container_0003.h5") as file:
        assert file["entry/sample/type"].asstr()[()] == "container"
    for job in jobs:
        truth.write(truth_folder, job.plan)
    assert next_number(truth_folder, "nickel") == 4
