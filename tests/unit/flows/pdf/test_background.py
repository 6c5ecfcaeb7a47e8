"""The incident beam and the background: what the scale comes from, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from flows.pdf import background as stage
from flows.pdf.recipe import Container, Plate, Recipe
from flows.pdf.types import Background, Opened, Patterns, Sample
from tasks.errors import DataError
from tasks.io.scan import ScanReference
from tasks.pdf.composition import parse

Q = np.linspace(0.5, 20.0, 600)
SAMPLE = 100 * np.exp(-Q / 8) + 5
AIR = 40 * np.exp(-Q / 3) + 2


OPENED = Opened(ScanReference("scan.h5"), (2, 10, 10), 0.17, None, Sample(), {}, "", {})
IN_KAPTON = replace(
    OPENED,
    sample=Sample(
        composition=parse("Ni"),
        formula="Ni",
        density=8.9,
        container=Container(material="kapton", diameter_mm=1.0),
    ),
)


def take_off(recipe, measured, opened=OPENED):
    return stage.take_off(recipe, opened, measured)


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


def test_a_capillary_dims_its_own_scattering_by_what_fills_it():
    measured = patterns(transmission=0.7)
    container = replace(measured.background, kind="container", transmission=0.99)
    found = take_off(Recipe(), replace(measured, background=container), IN_KAPTON)
    assert (found.scaled_by, found.no_absorption) == ("monitor and absorption", "")
    assert found.absorption.transmission == pytest.approx(0.7 / 0.99, rel=1e-3)
    # the wall's own way through the sample is shorter than the beam's
    assert 0.7 * 1.5 < found.scale < 1.5
    assert ((found.absorption.s_sc > 0.6) & (found.absorption.s_sc < 0.9)).all()


def test_a_plate_dims_what_goes_out_aslant_more_than_the_beam():
    flat = replace(IN_KAPTON, sample=replace(IN_KAPTON.sample, container=Plate(thickness_mm=0.5)))
    found = take_off(Recipe(), patterns(transmission=0.7), flat)
    assert found.no_absorption == ""
    assert found.absorption.transmission == pytest.approx(0.7)
    # a photon from halfway, at an angle, stands for them all to first order
    out = 1 / np.cos(2 * np.arcsin(Q * 0.17 / (4 * np.pi)))
    np.testing.assert_allclose(found.absorption.s_sc, 0.7 ** ((1 + out) / 2), rtol=2e-4)


def test_a_plate_hides_what_is_scattered_sideways():
    sideways = 1.1 * np.sqrt(2) * 2 * np.pi / Q[-1]  # in Å: the last bin lies beyond 90 degrees
    sample = replace(IN_KAPTON.sample, container=Plate(thickness_mm=0.5))
    flat = replace(IN_KAPTON, sample=sample, wavelength=sideways)
    assert "90 degrees" in take_off(Recipe(), patterns(transmission=0.7), flat).no_absorption


def test_the_packing_stands_in_for_a_transmission():
    found = take_off(Recipe(packing=0.5), patterns(), IN_KAPTON)
    assert 0.6 < found.absorption.transmission < 0.8
    assert take_off(Recipe(), patterns(), IN_KAPTON).no_absorption == (
        "neither the transmission nor packing and density are known"
    )


def test_a_container_of_an_unknown_material_is_refused():
    container = Container(material="Unobtainium", diameter_mm=1.0, density=1.0)
    odd = replace(IN_KAPTON, sample=replace(IN_KAPTON.sample, container=container))
    with pytest.raises(DataError, match="does not exist"):
        take_off(Recipe(packing=0.5), patterns(), odd)


def test_a_scale_that_the_containers_own_peaks_deny_is_a_doubt():
    rng = np.random.default_rng(5)
    q = np.linspace(0.5, 20.0, 4000)
    peaks = 30 * np.exp(-(((q[:, None] - np.arange(2, 9)) / 0.03) ** 2)).sum(axis=1)
    wall = 40 * np.exp(-q / 3) + 2 + peaks
    smooth = 100 * np.exp(-q / 8) + 5
    noise = np.full(len(q), 0.05)
    container = Background("container", wall, noise, monitor=1000.0)
    measured = Patterns(
        q=q,
        intensity=(smooth + wall + 0.05 * rng.normal(size=len(q)))[None],
        sigma=noise[None],
        monitor=np.array([1000.0]),
        background=container,
    )
    good = take_off(Recipe(), measured)
    assert good.doubts == {}
    assert good.scale_check.estimate == pytest.approx(1, abs=0.01)
    off = take_off(Recipe(), replace(measured, background=replace(container, monitor=900.0)))
    assert "is wrong: the container's sharp features say" in off.doubts["background"][0]
    unknown = take_off(Recipe(), replace(measured, monitor=None))
    assert (unknown.scaled_by, unknown.doubts) == ("no monitor", {})  # they bear it out
