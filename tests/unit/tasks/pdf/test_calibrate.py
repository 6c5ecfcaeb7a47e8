from dataclasses import replace

import numpy as np
import pytest
from pyFAI.geometry import Geometry as Reference

from tasks.errors import DataError
from tasks.pdf.calibrants import calibrant_names, d_spacings
from tasks.pdf.calibrate import calibrate
from tasks.pdf.geometry import pyfai_geometry
from tasks.pdf.ring_model import Plane
from tests.unit.tasks.pdf.ring_images import Truth, angles, image_of, lines

TILTED = Truth(shape=(420, 440), pixel=3e-4, distance=0.2, rot1=0.15, rot2=-0.1, beam=(0.4, 0.6))


def found(truth, name=None, **options):
    image, mask = image_of(truth)
    options = {"wavelength": truth.wavelength, "mask": mask, **options}
    return calibrate(image, name or truth.calibrant, (truth.pixel, truth.pixel), **options)


def off(calibration, truth):
    """largest error of 2theta over the detector, in pixels."""
    instrument = pyfai_geometry(calibration.trusted())
    two_theta = np.asarray(instrument.center_array(truth.shape, "2th_rad", scale=False))
    return np.abs(two_theta - angles(truth)[0]).max() * truth.distance / truth.pixel


def test_calibrants_are_found_by_name_and_an_unknown_one_names_those_there_are():
    assert {"CeO2", "LaB6", "Si", "Ni", "AgBh"} <= set(calibrant_names())
    assert d_spacings("ceo2")[0] == pytest.approx(5.411651 / 3**0.5, abs=1e-6)
    with pytest.raises(DataError, match=r"no calibrant called 'Fe2O3'.*CeO2.*LaB6"):
        d_spacings("Fe2O3")


@pytest.mark.parametrize("name", ["CeO2", "LaB6", "Si", "Ni"])
def test_d_spacings_are_those_of_the_crystal(name):
    spacings, _ = lines(name, 0.2, 11.0)
    known = d_spacings(name, weak=True)
    assert np.all(np.diff(known) < 0)
    assert known[: len(spacings)] == pytest.approx(spacings, rel=5e-5)


def test_lines_known_to_be_too_weak_are_left_out():
    assert not np.isclose(d_spacings("alpha_Al2O3"), 2.16461667).any()
    assert np.isclose(d_spacings("alpha_Al2O3", weak=True), 2.16461667).any()
    assert np.isclose(d_spacings("alpha_Al2O3"), 2.08460357).any()


def test_a_plane_is_pyfais():
    reference = Reference(0.2, 0.03, 0.05, 0.2, -0.3, 0.7, 1e-4, 1e-4)
    plane = Plane.from_poni(0.2, 0.03, 0.05, 0.2, -0.3)
    d1, d2 = np.random.default_rng(0).random((2, 50)) * 1000
    at = (d1 + 0.5) * 1e-4, (d2 + 0.5) * 1e-4
    assert plane.two_theta(*at) == pytest.approx(reference.tth(d1, d2), abs=1e-12)
    assert plane.poni() == pytest.approx((0.2, 0.03, 0.05))
    step = 1e-7
    here = plane.two_theta(*at)
    slopes = (
        plane.two_theta(at[0] + step, at[1]) - here,
        plane.two_theta(at[0], at[1] + step) - here,
    )
    for slope, outward in zip(slopes, plane.outward(*at), strict=True):
        assert outward == pytest.approx(slope / np.hypot(*slopes), abs=1e-4)


def test_a_tilted_detector_is_found_without_a_start():
    calibration = found(TILTED)
    assert calibration.accepted, calibration.reason
    assert off(calibration, TILTED) < 0.3
    assert len(calibration.rings) >= 6 and "rings of CeO2 fit" in calibration.reason
    assert calibration.sigma["distance"] < 1e-4
    geometry = calibration.trusted()
    assert geometry.distance == pytest.approx(TILTED.poni()[0], abs=5 * 1e-4)
    assert geometry.shape == TILTED.shape


def test_a_beam_beside_the_detector():
    truth = replace(TILTED, beam=(0.5, -0.1), peak=1500)
    calibration = found(truth)
    assert calibration.accepted, calibration.reason
    assert off(calibration, truth) < 1.0


def test_rings_of_spots_and_the_shadow_of_a_beam_stop():
    truth = replace(TILTED, spots=0.5, stop=6e-3, gaps=True)
    calibration = found(truth)
    assert calibration.accepted, calibration.reason
    assert off(calibration, truth) < 1.0


@pytest.mark.parametrize("orientation", [1, 2])
def test_an_image_that_lies_otherwise_leads_to_the_same_geometry(orientation):
    image, mask = image_of(TILTED)
    rows = -1 if orientation in (1, 2) else 1
    columns = -1 if orientation in (1, 4) else 1
    turned = calibrate(
        image[::rows, ::columns],
        "CeO2",
        (TILTED.pixel,) * 2,
        wavelength=TILTED.wavelength,
        mask=mask[::rows, ::columns],
        orientation=orientation,
    ).trusted()
    two_theta = np.asarray(
        pyfai_geometry(turned).center_array(TILTED.shape, "2th_rad", scale=False)
    )
    true = angles(TILTED)[0][::rows, ::columns]
    assert np.abs(two_theta - true).max() < 0.3 * TILTED.pixel / TILTED.distance


@pytest.mark.parametrize(("real", "named"), [("LaB6", "CeO2"), ("CeO2", "Si"), ("CeO2", "Ni")])
def test_another_calibrant_is_refused(real, named):
    calibration = found(replace(TILTED, calibrant=real), named)
    assert not calibration.accepted
    with pytest.raises(DataError, match=r"rings|another calibrant"):
        calibration.trusted()


def test_another_wavelength_is_refused_where_rings_reach_far_out_and_refined_if_asked():
    calibration = found(TILTED, wavelength=0.44)
    assert not calibration.accepted and "wavelength" in calibration.reason
    calibration = found(TILTED, wavelength=0.405, refine_wavelength=True)
    assert calibration.accepted, calibration.reason
    assert calibration.trusted().wavelength == pytest.approx(0.4, abs=0.002)


def test_a_distance_far_from_the_one_given_is_refused_where_the_wavelength_cannot_be_told():
    truth = Truth(shape=(500, 500), distance=1.2, wavelength=0.12, pixel=4e-4)
    right = found(truth)
    assert right.accepted and "cannot be told from the distance" in right.reason
    wrong = found(truth, wavelength=0.15, start=right.trusted())
    assert not wrong.accepted and "as given" in wrong.reason


@pytest.mark.parametrize("kind", ["dark", "noise", "halo"])
def test_an_image_without_rings_is_refused(kind):
    rng = np.random.default_rng(1)
    radius = np.hypot(*(np.indices((300, 300)) - 150))
    mean = {"dark": 0.0, "noise": 5.0, "halo": 300 * np.exp(-(((radius - 80) / 30) ** 2)) + 20}
    image = rng.poisson(np.broadcast_to(mean[kind], (300, 300)))
    calibration = calibrate(image, "CeO2", (3e-4, 3e-4), wavelength=0.4)
    assert not calibration.accepted
    assert "No rings" in calibration.reason or "No distance" in calibration.reason
