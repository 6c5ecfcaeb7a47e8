import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import DataError
from tasks.io.frames import check_frames, match_frames, runs
from tasks.io.scan import ScanReference, open_scan


@given(
    planned=st.integers(3, 60),
    lost=st.sets(st.integers(1, 58), max_size=5),
    offset=st.sampled_from([0, 1, 25]),
)
def test_frame_numbers_give_each_frame_its_angle(planned, lost, offset):
    numbers = np.setdiff1d(np.arange(planned), sorted(lost - {planned - 1}))
    angles = np.random.default_rng(1).uniform(0, 3, planned)
    frames = match_frames("scan", len(numbers), angles, numbers + offset, planned)
    np.testing.assert_array_equal(frames.angles, angles[numbers])
    assert set(frames.lost) == set(range(planned)) - set(numbers)
    assert frames.expected == planned and frames.matched


def test_angles_that_are_no_numbers_lose_their_frames():
    angles = np.array([0.0, np.nan, 2.0, 3.0])
    frames = match_frames("scan", 4, angles)
    assert frames.indices.tolist() == [0, 2, 3]
    assert frames.lost == (1,)


def test_fewer_angles_than_frames():
    frames = match_frames("scan", 10, np.arange(8.0))
    assert (frames.lost, frames.expected, frames.matched) == ((8, 9), 10, False)


@pytest.mark.parametrize("golden", [np.arange(20) * 111.246 % 180, np.r_[0, 5, 1, 6, 2, 7]])
def test_uneven_angles_have_no_gaps(golden):
    frames = match_frames("scan", len(golden), np.deg2rad(golden))
    assert frames.lost == ()


@pytest.mark.parametrize("ids", [[1, 1, 2], [0, 1], [0, 1, 50]])
def test_contradicting_numbers(ids):
    with pytest.raises(DataError, match="contradicts itself"):
        match_frames("scan", 3, np.arange(5.0), np.array(ids))


@given(st.sets(st.integers(0, 40)))
def test_runs_cover_the_indices(indices):
    wanted = np.array(sorted(indices), np.intp)
    got = np.full(len(wanted), -1)
    for source, target in runs(wanted):
        got[target] = np.arange(source.start, source.stop)
    np.testing.assert_array_equal(got, wanted)


def _frames(kind=np.float32):
    return np.random.default_rng(0).integers(1, 100, (20, 6, 8)).astype(kind)


def check(path):
    with open_scan(ScanReference(str(path))) as scan:
        check_frames(scan)


def test_good_frames(dxchange):
    check(dxchange(frames=20, exchange__data=_frames()))


def test_frames_that_are_no_numbers_are_named(dxchange):
    data = _frames()
    data[[5, 6, 14]] = np.nan
    with pytest.raises(DataError, match=r"3 of its projections .*: frames 5, 6, 14\. "):
        check(dxchange(frames=20, exchange__data=data))


def test_blank_frame(dxchange):
    data = _frames(np.uint16)
    data[7] = 0
    with pytest.raises(DataError, match="same value in every pixel: frame 7"):
        check(dxchange(frames=20, exchange__data=data))


def test_flats_without_numbers(dxchange):
    flats = np.full((2, 6, 8), np.inf, np.float32)
    with pytest.raises(DataError, match="2 of its flats"):
        check(dxchange(frames=20, exchange__data=_frames(), exchange__data_white=flats))
