import numpy as np
import pytest

from tasks.algorithm import Engine
from tasks.ct.flat_field import minus_log, normalise
from tasks.errors import DataError

SHAPE = (2, 5)
DARKS = np.full((4, *SHAPE), 100, np.uint16)


def scan(transmission, positions, before=1000, after=1000):
    beam = before + (after - before) * positions
    projections = 100 + (beam * transmission)[:, None, None] * np.ones((1, *SHAPE))
    flats = 100 + np.r_[np.full(6, before), np.full(6, after)][:, None, None] * np.ones(SHAPE)
    return projections, flats, DARKS, np.r_[np.zeros(6), np.ones(6)], positions


@pytest.fixture(params=["reference", "numpy"], autouse=True)
def implementation(request):
    with Engine(prefer={"ct.normalise": request.param}).active():
        yield request.param


def test_a_beam_that_fades_is_interpolated_between_the_flats():
    result = normalise(*scan(0.5, np.linspace(0, 1, 9), before=1000, after=800))
    assert result.dtype == np.float32
    assert np.abs(result - 0.5).max() < 1e-6


def test_one_flat_without_beam_and_a_zinger_do_not_count():
    projections, flats, darks, flat_positions, positions = scan(0.5, np.linspace(0, 1, 9))
    flats[2] = 100
    flats[8, 0, 0] = 60000
    result = normalise(projections, flats, darks, flat_positions, positions)
    assert np.abs(result - 0.5).max() < 1e-6


def test_flats_in_the_middle_are_a_group_of_their_own_even_for_a_part_of_the_scan():
    projections, flats, darks, _, _ = scan(0.5, np.full(3, 0.2))
    flat_positions = np.r_[np.full(6, 0.5), np.full(6, 1.0)]
    flats[6:] *= 2
    assert np.abs(
        normalise(projections, flats, darks, flat_positions, np.full(3, 0.2)) - 0.5
    ).max() == pytest.approx(0, abs=1e-6)


def test_dead_pixels_are_transparent_and_no_darks_count_as_zero():
    projections, flats, _, flat_positions, positions = scan(0.5, np.linspace(0, 1, 3))
    flats[:, 1, 3] = 0
    result = normalise(projections, flats, DARKS[:0], flat_positions, positions)
    assert (result[:, 1, 3] == 1).all()
    assert np.isfinite(result).all()


def test_missing_and_dark_flats_are_faults_of_the_data():
    projections, flats, darks, flat_positions, positions = scan(0.5, np.linspace(0, 1, 3))
    with pytest.raises(DataError, match="no flats"):
        normalise(projections, flats[:0], darks, flat_positions[:0], positions)
    with pytest.raises(DataError, match="not brighter than the darks"):
        normalise(projections, flats * 0, darks, flat_positions, positions)


def test_minus_log_has_a_floor_and_keeps_what_is_no_number():
    result = minus_log(np.array([1, np.exp(-2), 0, -1, np.nan], np.float32))
    assert result[:4] == pytest.approx([0, 2, 13.8155, 13.8155], abs=1e-4)
    assert np.isnan(result[4])
