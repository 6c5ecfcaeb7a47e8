"""Streams of a swinging monochromator, cut at their turns."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.sweeps import find_sweeps, find_sweeps_in

POINTS = 1200


def swing(sweeps, points=POINTS, low=6960.0, high=7900.0):
    phase = np.arange(sweeps * points) * np.pi / points
    return (low + high) / 2 - (high - low) / 2 * np.cos(phase)


def rest_at_turns(sweeps, rest, points=POINTS):
    ramp = np.linspace(10.0, 12.0, points)
    pieces = [
        part for n in range(sweeps) for part in (ramp[:: -1 if n % 2 else 1], np.full(rest, n))
    ]
    for n in range(sweeps):
        pieces[2 * n + 1] = np.full(rest, 10.0 if n % 2 else 12.0)
    return np.concatenate(pieces)


def check_turns(found, sweeps, points=POINTS, tolerance=2):
    assert len(found.starts) == sweeps
    assert np.abs(found.starts - np.arange(sweeps) * points).max() <= tolerance
    assert np.abs(found.stops - (np.arange(sweeps) + 1) * points).max() <= tolerance
    assert found.rising.tolist() == [n % 2 == 0 for n in range(sweeps)]
    assert found.whole.all()


def test_a_smooth_swing():
    check_turns(find_sweeps(swing(20)), 20, tolerance=4)


@pytest.mark.parametrize("jitter", [0.01, 0.1, 1.0])
def test_jitter_of_the_encoder_makes_no_sweeps(jitter):
    position = swing(20) + np.random.default_rng(1).normal(0, jitter, 20 * POINTS)
    at_rest = 6 * jitter + 4 * jitter  # the noise of the farthest point too
    tolerance = POINTS / np.pi * np.arccos(1 - at_rest / 470)
    check_turns(find_sweeps(position), 20, tolerance=tolerance + 4)


def test_points_at_rest_belong_to_no_sweep():
    rest = 150
    jitter = np.random.default_rng(2).normal(0, 1e-4, 6 * (POINTS + rest))
    found = find_sweeps(rest_at_turns(6, rest) + jitter)
    begin = np.arange(6) * (POINTS + rest)
    assert np.abs(found.starts - begin).max() <= 3
    assert np.abs(found.stops - (begin + POINTS)).max() <= 3


def test_the_first_and_last_sweep_may_be_parts():
    found = find_sweeps(swing(10)[POINTS // 2 : -POINTS // 3])
    assert len(found.starts) == 10
    assert found.whole.tolist() == [False, *[True] * 8, False]
    assert (found.starts[0], found.stops[-1]) == (0, 10 * POINTS - POINTS // 2 - POINTS // 3)
    assert found.rising[:2].tolist() == [True, False]


def test_a_start_outward_gives_no_sweep_of_its_own():
    found = find_sweeps(swing(4)[int(0.9 * POINTS) :])
    assert len(found.starts) == 3
    assert found.whole.all()


def test_wrong_readings_are_no_turns():
    position = swing(10)
    rng = np.random.default_rng(3)
    position[rng.choice(len(position), 60, replace=False)] = rng.choice([0.0, 1e9, 6960, 7900], 60)
    found = find_sweeps(position)
    assert len(found.starts) == 10
    assert np.abs(found.starts - np.arange(10) * POINTS).max() <= 15


def test_one_way_is_one_sweep():
    found = find_sweeps(np.linspace(7900.0, 6960.0, 500))
    assert (found.starts.tolist(), found.stops.tolist()) == ([0], [500])
    assert found.rising.tolist() == [False]


def test_blocks_change_nothing():
    position = swing(12) + np.random.default_rng(4).normal(0, 0.05, 12 * POINTS)
    whole = find_sweeps_in(lambda part: position[part], len(position))
    for block in (700, 1000, 5000):
        parts = find_sweeps_in(lambda part: position[part], len(position), block)
        assert np.abs(parts.starts - whole.starts).max() <= 10
        assert np.abs(parts.stops - whole.stops).max() <= 10
        assert (parts.rising == whole.rising).all()


def test_only_a_block_is_in_memory():
    points, block, read = 3_000_000, 100_000, []

    def position(part):
        number = np.arange(part.start, min(part.stop, points))
        read.append(len(number))
        return -np.cos(number * np.pi / POINTS)

    found = find_sweeps_in(position, points, block)
    assert len(found.starts) == points // POINTS
    assert max(read) <= block


def test_a_motor_that_stands_still_is_told():
    with pytest.raises(DataError, match="did not move"):
        find_sweeps(np.full(1000, 7112.0))
