"""Stripes, dead columns and zingers go; the sample stays."""

import numpy as np
import pytest

from tasks.ct.stripes import remove_stripes
from tasks.ct.zingers import remove_zingers


@pytest.fixture
def wave():
    rng = np.random.default_rng(0)
    angle, column = np.mgrid[:180, :200]
    clean = 1 + np.sin(angle / 40 + column / 25) + 0.01 * rng.standard_normal((180, 200))
    return clean.astype(np.float32)


def test_a_stripe_goes_and_the_rest_stays(wave):
    striped = wave.copy()
    striped[:, 70] += 0.2
    result = remove_stripes(striped[None])[0]
    assert np.abs((result - wave)[:, 70].mean()) < 0.01
    others = np.delete(result - wave, range(69, 72), axis=1)
    assert np.sqrt((others**2).mean()) < 0.005


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_dead_column_is_interpolated(wave, value):
    dead = wave.copy()
    dead[:, 120] = value
    result = remove_stripes(dead[None])[0]
    assert np.abs(result[:, 120] - wave[:, 120]).max() < 0.1


def test_everything_can_be_left_as_it_is(wave):
    assert np.array_equal(remove_stripes(wave[None], width=0, dead_ratio=0)[0], wave)
    assert np.array_equal(remove_zingers(wave[:, None], threshold=0)[:, 0], wave)


def test_zingers_go_and_a_moving_edge_stays():
    rng = np.random.default_rng(1)
    frame, column = np.mgrid[:100, :150]
    transmission = np.where(np.abs(column - frame) < 2, 0.9, 0.3)  # a bright slit that moves
    transmission = (transmission + 0.005 * rng.standard_normal((100, 150))).astype(np.float32)
    hit = transmission.copy()
    hit[[0, 30, 99], [80, 140, 10]] += 1.0
    result = remove_zingers(hit[:, None])[:, 0]
    assert np.abs(result - transmission).max() < 0.05


def test_too_few_projections_for_zingers_are_left_alone():
    two = np.array([[[0.5]], [[9.0]]], np.float32)
    assert np.array_equal(remove_zingers(two), two)
