"""The incident beam and the background: what the scale comes from, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from flows.pdf.background import take_off
from flows.pdf.recipe import Recipe
from flows.pdf.types import Background, Patterns
from tasks.errors import DataError

Q = np.linspace(0.5, 20.0, 600)
SAMPLE = 100 * np.exp(-Q / 8) + 5
AIR = 40 * np.exp(-Q / 3) + 2


def patterns(monitor=(1000.0, 500.0), **changes):
    """Measure two frames of a sample in air, and the air with half the beam."""
    beam = np.asarray(monitor) / 1000
    measured = Patterns(
        q=Q,
        intensity=beam[:, None] * (SAMPLE + AIR),
        sigma=np.full((len(beam), len(Q)), 0.1),
        monitor=1000 * beam,
        background=Background("empty", 0.5 * AIR, np.full(len(Q), 0.01), monitor=500.0),
    )
    return replace(measured, **changes)


def test_frames_are_brought_to_one_beam_and_the_background_to_theirs():
    found = take_off(Recipe(), patterns())
    assert found.scaled_by == "monitor"
    assert found.scale == pytest.approx(1.5)  # 750 in the mean, over 500
    np.testing.assert_allclose(found.merged, 0.75 * SAMPLE, rtol=1e-9)
    np.testing.assert_allclose(found.intensity, np.tile(0.75 * SAMPLE, (2, 1)), rtol=1e-9)
    assert found.doubts == {}


def test_a_frame_with_less_beam_counts_less_and_is_less_certain():
    found = take_off(Recipe(), patterns())
    assert found.sigma[1, 0] > 1.9 * found.sigma[0, 0]
    assert found.merged_sigma[0] < found.sigma[0, 0]


def test_what_the_sample_lets_through_scales_the_background():
    measured = patterns(transmission=0.8)
    found = take_off(Recipe(), measured)
    assert found.scale == pytest.approx(0.8 * 1.5)
    assert found.scaled_by == "monitor and transmission"


def test_the_exposure_stands_in_for_a_monitor():
    background = replace(patterns().background, monitor=None, exposure=2.0)
    found = take_off(Recipe(), patterns(monitor=(1000.0,) * 2, exposure=3.0, background=background))
    assert (found.scale, found.scaled_by) == (pytest.approx(1.5), "exposure")


def test_a_scale_that_hangs_on_nothing_is_a_doubt():
    background = replace(patterns().background, monitor=None)
    found = take_off(Recipe(), patterns(background=background))
    assert found.scale == 1
    assert "Neither monitor nor exposure" in found.doubts["background"][0]
    told = take_off(Recipe(background_scale=1.5), patterns(background=background))
    assert (told.scaled_by, told.doubts) == ("recipe", {})


def test_no_background_is_a_doubt_unless_it_was_meant():
    bare = patterns(background=None)
    assert "No background was taken off" in take_off(Recipe(), bare).doubts["background"][0]
    found = take_off(Recipe(background="none"), bare)
    assert (found.doubts, found.scale, found.background) == ({}, None, None)


def test_a_background_on_another_scale_is_refused():
    measured = patterns()
    background = replace(measured.background, intensity=100 * AIR)
    with pytest.raises(DataError, match=r"below zero from .* background on another scale"):
        take_off(Recipe(), replace(measured, background=background))


def test_frames_that_are_left_out_are_in_nothing():
    measured = patterns()
    measured.intensity[1] = -1000
    found = take_off(Recipe(), replace(measured, left_out={1: "In frame 1 the beam was away."}))
    assert list(found.frames) == [0]
    np.testing.assert_allclose(found.merged, SAMPLE, rtol=1e-9)


def test_exposures_of_one_state_become_one_pattern():
    found = take_off(Recipe(frames="sum"), patterns())
    assert found.intensity.shape == (1, len(Q))
    np.testing.assert_array_equal(found.intensity[0], found.merged)


def test_bins_without_pixels_stay_unknown():
    measured = patterns()
    measured.intensity[:, :3], measured.sigma[:, :3] = np.nan, np.nan
    found = take_off(Recipe(), measured)
    assert np.isnan(found.merged[:3]).all()
    assert found.q_range[0] == Q[3]
