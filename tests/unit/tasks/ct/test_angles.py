import numpy as np
import pytest

from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan
from infra.simulator.scan import write_scan
from tasks.ct.angles import angle_weights, check_angles, match_angles
from tasks.ct.sinograms import ScanSources
from tasks.ct.survey import survey, survey_rows
from tasks.errors import DataError
from tasks.io.scan import ScanReference

HALF = np.arange(200) * np.pi / 200


def test_half_and_whole_turns_pass_without_a_word():
    for angles in (HALF, -HALF, 2 * HALF, np.linspace(0, np.pi, 181)):
        report = check_angles(angles, len(angles))
        assert (report.lost, report.warnings) == (0, [])


def test_one_per_cent_lost_is_a_warning_that_says_where():
    report = check_angles(np.delete(HALF, [50, 100]), 200)
    assert report.lost == 2
    assert report.warnings == [
        "2 of 200 projections are missing (after 44.10, 89.10 degrees); "
        "their neighbours stand in for them."
    ]


def test_more_than_one_per_cent_is_refused():
    with pytest.raises(DataError, match=r"3 of 200 projections are missing .* more than 1%"):
        check_angles(np.delete(HALF, [50, 51, 52]), 200)


def test_frames_that_never_came_are_missing_at_the_end():
    with pytest.raises(DataError, match=r"50 of 200 .*at the end of the scan"):
        check_angles(HALF[:150], 200)


@pytest.mark.parametrize(
    ("angles", "sentence"),
    [
        (np.deg2rad(HALF), "angles in radians though the file says degrees"),
        (HALF[:100], "cover 90.00 degrees; at least half a turn"),
        (np.r_[HALF[:50], HALF[49], HALF[50:]], "frame 50 is at 44.100 degrees after 44.100"),
        (np.r_[HALF[:9], np.nan, HALF[10:]], "cannot be used"),
        (HALF[:2], "cannot be used"),
    ],
)
def test_angles_that_cannot_be_reconstructed(angles, sentence):
    with pytest.raises(DataError, match=sentence):
        check_angles(angles)


def test_three_quarters_of_a_turn_is_a_warning():
    assert "neither half a turn nor a whole one" in check_angles(1.5 * HALF).warnings[0]


def test_frame_numbers_find_the_angles():
    assert match_angles(HALF, 3, np.array([0, 2, 199])).tolist() == HALF[[0, 2, 199]].tolist()
    assert match_angles(HALF, 200) is not None
    with pytest.raises(DataError, match="199 projections but 200 rotation angles"):
        match_angles(HALF, 199)


def test_weights_sum_to_half_a_turn_and_bridge_gaps():
    assert angle_weights(HALF) == pytest.approx(np.pi / 200)
    assert angle_weights(2 * HALF).sum() == pytest.approx(np.pi)
    gappy = angle_weights(np.delete(HALF, 50))
    assert gappy.sum() == pytest.approx(np.pi)
    assert gappy[[49, 50]] == pytest.approx(1.5 * np.pi / 200)
    assert angle_weights(HALF[:150])[0] < 5 * np.pi / 150


def test_what_a_person_accepted_is_a_warning():
    whole = np.deg2rad(np.arange(0, 180, 0.5))
    report = check_angles(whole[:250], 360, accepted=True)
    assert "110 of 360 projections are missing (at the end of the scan)" in report.warnings[0]
    assert "cover 125.00 degrees, less than half a turn" in report.warnings[1]
    with pytest.raises(DataError, match=r"cover 20\.00 degrees"):
        check_angles(whole[:40], 360, accepted=True)


@pytest.mark.parametrize("last", [62, 40])
def test_the_axis_of_part_of_a_scan_is_found_all_the_same(tmp_path, last):
    plan = ScanPlan(
        geometry=Geometry(columns=96, rows=8, projections=91, axis=46.3),
        lost=tuple(range(last, 91)),
        seed=61,
    )
    reference = ScanReference(str(write_scan(tmp_path, plan.identified())))
    sources = ScanSources(scan=reference, flats=(), darks=())
    seen = survey(sources, survey_rows(0, 8, 4), "sorting", True, 1, accepted=True)
    assert seen.axis is not None
    assert abs(seen.axis.at(4) - 46.3) < 0.5
