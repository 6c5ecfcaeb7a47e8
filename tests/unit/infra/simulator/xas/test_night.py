import numpy as np

from infra.simulator.beamline import next_number
from infra.simulator.xas import truth
from infra.simulator.xas.models import MODELS
from infra.simulator.xas.night import measure, night


def expected():
    return {scan.name: scan for job in night(3) for scan in job.scans}


def test_a_night_brings_a_series_single_scans_and_a_file_of_many():
    names = list(expected())
    assert names[0] == "quick_0003"
    assert names[1:4] == ["step_0003_1", "step_0003_2", "step_0003_3"]
    assert names[4:] == [f"heated_0003-{number}.1" for number in range(1, 6)]
    plans = [job.plan for job in night(3)]
    assert len({plan.uid for plan in plans}) == len(plans)
    assert all(plan.proposal for plan in plans)


def test_what_is_expected_of_a_scan_is_the_truth_about_its_good_sweeps():
    (quick, *_) = night(3)
    (scan,) = quick.scans
    true = truth.of(quick.plan)
    assert scan.bad_sweeps == true.bad.sum() > 0
    np.testing.assert_allclose(
        list(scan.fractions.values()), true.fractions[~true.bad].mean(axis=0)
    )
    assert all(abs(sum(scan.fractions.values()) - 1) < 1e-9 for scan in expected().values())


def test_the_edge_is_where_the_mixture_rises_most():
    energy = np.arange(7100.0, 7140.0, 0.05)
    scan = expected()["step_0003_3"]
    mixed = sum(share * MODELS[name].absorption(energy) for name, share in scan.fractions.items())
    assert abs(scan.e0 - energy[np.argmax(np.gradient(mixed))]) < 0.2


def test_the_night_lands_as_files_and_the_next_one_goes_on_counting(tmp_path):
    raw, truths = tmp_path / "raw", tmp_path / "truth"
    raw.mkdir()
    steps = [job for job in night(3) if len(job.scans) == 1][1:]
    measure(steps, raw)
    assert sorted(path.name for path in raw.iterdir()) == [
        f"step_0003_{number}.xdi" for number in (1, 2, 3)
    ]
    for job in night(3):
        truth.write(truths, job.plan)
    assert next_number(truths, "quick") == 4
