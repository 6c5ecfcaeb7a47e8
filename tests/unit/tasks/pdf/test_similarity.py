import numpy as np
import pytest

from tasks.algorithm import Engine
from tasks.errors import DataError
from tasks.pdf.similarity import comparable, fewer_rows, find_changes, frame_noise, pearson
from tasks.resources import Resources

X = np.linspace(0, 1, 400)
RNG = np.random.default_rng(0)
ONE, OTHER = np.sin(20 * X) + 2, np.sin(23 * X) + 2


def series(frames=200, at=(120,), noise=0.1, seed=1):
    state = np.zeros(frames)
    for change in at:
        state[change:] = 1 - state[change:]
    rng = np.random.default_rng(seed)
    return ONE + np.outer(state, OTHER - ONE) + noise * rng.normal(size=(frames, len(X)))


@pytest.mark.parametrize("prefer", ["reference", "single"])
def test_coefficients_are_numpys(prefer):
    patterns = series(50)
    with Engine(Resources(), prefer={"pdf.pearson": prefer}).active() as engine:
        found = pearson(patterns)
    assert engine.records[0].implementation == prefer
    assert np.allclose(found, np.corrcoef(patterns), atol=1e-5)
    assert found.max() <= 1


def test_scale_and_offset_do_not_matter_and_a_flat_pattern_is_like_none():
    found = pearson(np.stack([ONE, 3 * ONE + 7, -ONE, np.full_like(ONE, 2.0)]))
    assert found[0, 1] == pytest.approx(1, abs=1e-6)
    assert found[0, 2] == pytest.approx(-1, abs=1e-6)
    assert found[3].tolist() == [0, 0, 0, 0]


def test_points_without_pixels_are_left_out():
    patterns = series(10)
    patterns[:, :20] = np.nan
    patterns[3, 50] = np.nan
    assert comparable(patterns).shape == (10, 379)
    patterns[4, 15:] = np.nan
    with pytest.raises(DataError, match=r"Only 0 points .* frame 4 has 0"):
        comparable(patterns)


def test_a_picture_of_many_frames_has_few_rows():
    patterns = np.arange(4501.0)[:, None] * np.ones(3)
    first, rows = fewer_rows(patterns, 2000)
    assert len(rows) == len(first) == 1501
    assert rows[:2, 0].tolist() == [1, 4]
    assert rows[-1, 0] == 4500
    assert np.sum(rows[:-1, 0] * 3) + rows[-1, 0] == patterns[:, 0].sum()
    assert np.array_equal(fewer_rows(patterns[:10])[1], patterns[:10])


def test_noise_is_told_from_neighbours():
    assert np.median(frame_noise(series(noise=0.2))) == pytest.approx(0.2, rel=0.07)
    with pytest.raises(DataError, match="4 frames are too few"):
        frame_noise(series(4))


@pytest.mark.parametrize("sigma", [None, np.full(400, 0.1)])
def test_changes_are_found_at_their_frame(sigma):
    found = find_changes(series(at=(60, 120), noise=0.1), sigma)
    assert sorted(found.at) == [60, 120]
    assert all(begin <= at <= end for at, (begin, end) in zip([60, 120], found.spans, strict=True))
    assert found.score.max() > 10 * found.threshold


def test_a_change_within_the_noise_of_one_frame_is_found():
    patterns = np.zeros((100, 400)) + 0.1 * np.random.default_rng(3).normal(size=(100, 400))
    patterns[40:] += 0.1 * np.sin(20 * X)
    found = find_changes(patterns)
    assert len(found.at) == 1
    assert abs(found.at[0] - 40) <= 1


def test_false_alarms_are_rare():
    alarms = [find_changes(series(at=(), seed=seed)).at for seed in range(40)]
    assert sum(bool(each) for each in alarms) <= 2


def test_what_is_correlated_needs_its_number_of_independent_points():
    rng = np.random.default_rng(4)
    few = np.repeat(rng.normal(size=(100, 40)), 10, axis=1)
    assert find_changes(few).at
    assert not find_changes(few, independent=40).at
    with pytest.raises(DataError, match="no series"):
        find_changes(few[:1])
