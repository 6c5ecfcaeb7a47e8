import numpy as np
import pytest

from tasks.ct.axis_methods import axis_by_registration, axis_by_symmetry
from tasks.ct.rotation_axis import find_rotation_axis
from tasks.errors import DataError

ROWS = np.arange(10, 60, 10)


def sinograms(axes, angles, columns=160):
    """Discs around the axis, smooth enough to need no sub-sampling."""
    rng = np.random.default_rng(0)
    discs = [(rng.uniform(-45, 45), rng.uniform(0, 6), rng.uniform(5, 20)) for _ in range(9)]
    stack = np.zeros((len(axes), len(angles), columns), np.float32)
    for row, axis in enumerate(axes):
        for distance, phase, radius in discs:
            u = np.arange(columns) - axis - distance * np.cos(angles[:, None] - phase)
            stack[row] += np.maximum(1 - (u / radius) ** 2, 0)
    return stack + 0.01 * rng.standard_normal(stack.shape).astype(np.float32)


@pytest.mark.parametrize("method", [axis_by_symmetry, axis_by_registration])
@pytest.mark.parametrize("turn", [np.pi, 2 * np.pi, -np.pi])
@pytest.mark.parametrize("axis", [79.5, 71.3, 95.75])
def test_each_method_finds_a_fractional_axis(method, turn, axis):
    angles = np.arange(240) * turn / 240
    assert method(sinograms([axis], angles)[0], angles).axis == pytest.approx(axis, abs=0.15)


def test_a_pair_that_misses_half_a_turn_by_a_large_step_is_extrapolated():
    angles = np.arange(60) * np.pi / 60
    found = axis_by_registration(sinograms([84.2], angles)[0], angles)
    assert found.axis == pytest.approx(84.2, abs=0.35)


def test_tilt_is_the_slope_over_the_rows():
    angles = np.arange(240) * np.pi / 240
    found = find_rotation_axis(sinograms(80.0 + 0.05 * (ROWS - 30), angles), angles, ROWS)
    assert found.row == 30
    assert found.value == pytest.approx(80.0, abs=0.1)
    assert found.slope == pytest.approx(0.05, abs=0.005)
    assert found.at(50) == pytest.approx(81.0, abs=0.15)
    assert found.tilt == pytest.approx(np.arctan(0.05), abs=0.005)
    assert found.agreed
    assert found.confidence > 0.5
    assert found.reason.startswith("The methods agree within")


def test_noise_alone_is_not_trusted():
    noise = np.random.default_rng(1).standard_normal((5, 120, 160)).astype(np.float32)
    found = find_rotation_axis(noise, np.arange(120) * np.pi / 120, ROWS)
    assert not found.agreed
    assert found.confidence < 0.5


def test_values_that_are_no_numbers_are_a_fault_of_the_data():
    data = np.ones((5, 120, 160), np.float32)
    data[2, 7, 9] = np.nan
    with pytest.raises(DataError, match=r"1 projections .* first is projection 7 in row 30"):
        find_rotation_axis(data, np.arange(120) * np.pi / 120, ROWS)
