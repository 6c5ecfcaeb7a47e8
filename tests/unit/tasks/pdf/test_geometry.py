"""Geometry: .poni files of every version, pyFAI's arrays, and what does not belong together."""

import dataclasses
import json
import pickle

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.geometry import (
    Geometry,
    arrays,
    beam_centre,
    check_detector,
    extent,
    module_gaps,
    pyfai_geometry,
    read_poni,
    write_poni,
)

TILTED = Geometry(0.2, 0.02, 0.025, 0.05, -0.03, 0.2, 1e-4, 2e-4, 0.18, (200, 150))
FLAT = Geometry(0.1, 0.01, 0.005, 0.0, 0.0, 0.0, 1e-4, 1e-4, 0.2)
NUMBERS = """Distance: 0.2
Poni1: 0.02
Poni2: 0.025
Rot1: 0.05
Rot2: -0.03
Rot3: 0.2
Wavelength: 1.8e-11
"""


def config(**values):
    sizes = {"pixel1": 1e-4, "pixel2": 2e-4, "max_shape": [200, 150]}
    return f"Detector: Detector\nDetector_config: {json.dumps(sizes | values)}\n"


VERSIONS = {
    "1": "PixelSize1: 0.0001\nPixelSize2: 0.0002\n",
    "2": f"poni_version: 2\n{config()}",
    "2.1": f"poni_version: 2.1\n{config(orientation=2)}",
    "3": f"poni_version: 3\n{config(orientation=3)}Parallax: False\n",
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_poni_file_of_each_version_is_read(tmp_path, version):
    path = tmp_path / "a.poni"
    path.write_text(f"# by hand\n{VERSIONS[version]}{NUMBERS}")
    found = read_poni(path)
    expected = dataclasses.replace(
        TILTED,
        wavelength=found.wavelength,
        shape=None if version == "1" else (200, 150),
        orientation=2 if version == "2.1" else 3,
    )
    assert found == expected
    assert found.wavelength == pytest.approx(0.18, rel=1e-12)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_what_we_write_pyfai_and_we_read_back(tmp_path, orientation):
    import pyFAI

    path = tmp_path / "a.poni"
    written = TILTED.oriented(orientation)
    write_poni(path, written)
    found = read_poni(path)
    assert dataclasses.replace(found, wavelength=0.18) == written
    theirs = pyFAI.load(str(path))
    angles = theirs.center_array(TILTED.shape, unit="2th_rad", scale=False)
    np.testing.assert_allclose(arrays(written, TILTED.shape).two_theta, angles, atol=1e-12)
    assert theirs.wavelength == pytest.approx(1.8e-11, rel=1e-12)


def test_a_named_detector_brings_its_size_and_its_gaps(tmp_path):
    path = tmp_path / "a.poni"
    text = "poni_version: 2.1\nDetector: Pilatus1M\nDetector_config: "
    path.write_text(f'{text}{{"orientation": 2}}\n{NUMBERS}')
    found = read_poni(path)
    assert (found.shape, found.pixel1, found.detector) == ((1043, 981), 172e-6, "Pilatus1M")
    gaps = module_gaps(found, found.shape)
    assert 0.05 < gaps.mean() < 0.1
    assert not gaps[:190, :480].any()
    assert module_gaps(TILTED, TILTED.shape) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<html>", "could not be read"),
        (VERSIONS["1"] + NUMBERS.replace("Distance: 0.2\n", ""), "could not be read"),
        (VERSIONS["1"] + NUMBERS.replace("Wavelength: 1.8e-11\n", ""), "no wavelength"),
        (VERSIONS["1"] + NUMBERS.replace("0.2\n", "-0.2\n", 1), "which cannot be"),
        (VERSIONS["1"] + NUMBERS.replace("1.8e-11", "0.18"), "which cannot be"),
        ("poni_version: 2\nDetector: Xpad_flat\nDetector_config: {}\n" + NUMBERS, "flat regular"),
    ],
)
def test_a_poni_file_that_cannot_be_used_is_refused(tmp_path, text, sentence):
    path = tmp_path / "bad.poni"
    path.write_text(text)
    with pytest.raises(DataError, match=sentence) as error:
        read_poni(path)
    assert "bad.poni" in str(error.value)


def test_a_wavelength_may_come_from_elsewhere(tmp_path):
    path = tmp_path / "a.poni"
    path.write_text(VERSIONS["1"] + NUMBERS.replace("Wavelength: 1.8e-11\n", ""))
    assert read_poni(path, wavelength=0.21).wavelength == 0.21


def test_arrays_of_a_detector_that_is_not_tilted_follow_from_pythagoras():
    shape = (160, 120)
    seen = arrays(FLAT, shape)
    y, x = (np.indices(shape) + 0.5) * 1e-4 - np.array([0.01, 0.005])[:, None, None]
    radius = np.hypot(x, y)
    np.testing.assert_allclose(seen.two_theta, np.arctan(radius / 0.1), rtol=1e-6)
    np.testing.assert_allclose(np.cos(seen.chi), x / radius, atol=1e-5)
    cosine = 0.1 / np.hypot(radius, 0.1)
    np.testing.assert_allclose(seen.solid_angle, cosine**3, rtol=1e-6)
    np.testing.assert_allclose(seen.path, 1 / cosine, rtol=1e-6)
    horizontal = 1 - np.sin(seen.two_theta) ** 2 * np.cos(seen.chi) ** 2
    np.testing.assert_allclose(seen.polarisation(1.0), horizontal, rtol=1e-6)


def test_arrays_are_those_of_pyfai():
    shape = TILTED.shape
    seen, theirs = arrays(TILTED, shape), pyfai_geometry(TILTED, shape)
    np.testing.assert_allclose(seen.solid_angle, theirs.solidAngleArray(shape), rtol=1e-6)
    np.testing.assert_allclose(seen.polarisation(0.95), theirs.polarization(shape, 0.95), atol=1e-6)
    q = theirs.center_array(shape, unit="q_A^-1")
    np.testing.assert_allclose(TILTED.q(seen.two_theta), q, rtol=1e-9)
    for unit, name in (("tth", "2th_rad"), ("q", "q_A^-1")):
        low, high = extent(TILTED, shape, unit)
        delta = theirs.delta_array(shape, unit=name, scale=True)
        np.testing.assert_allclose((high - low) / 2, delta, rtol=1e-9)
    assert not seen.two_theta.flags.writeable


@pytest.mark.parametrize(("orientation", "rows", "columns"), [(2, -1, 1), (4, 1, -1), (1, -1, -1)])
def test_the_orientation_turns_the_image_over(orientation, rows, columns):
    usual = arrays(TILTED, TILTED.shape).two_theta
    turned = arrays(TILTED.oriented(orientation), TILTED.shape).two_theta
    np.testing.assert_allclose(turned, usual[::rows, ::columns], atol=1e-12)
    assert TILTED.oriented(None) is TILTED


def test_the_direct_beam_meets_the_detector_where_the_angle_is_least():
    seen = arrays(TILTED, TILTED.shape)
    row, column = np.unravel_index(seen.two_theta.argmin(), TILTED.shape)
    y, x = beam_centre(TILTED)
    assert (row + 0.5) * 1e-4 == pytest.approx(y, abs=1e-4)
    assert (column + 0.5) * 2e-4 == pytest.approx(x, abs=2e-4)


def test_a_geometry_of_another_detector_is_refused():
    check_detector(TILTED, (200, 150), (1e-4, 2.001e-4))
    with pytest.raises(DataError, match=r"200 x 151 pixels.*200 x 150"):
        arrays(TILTED, (200, 151))
    with pytest.raises(DataError, match=r"172 x 172 µm.*100 x 200 µm"):
        check_detector(TILTED, (200, 150), (172e-6, 172e-6))
    away = dataclasses.replace(FLAT, poni1=3.0)
    with pytest.raises(DataError, match="direct beam passes"):
        check_detector(away, (160, 120))


def test_a_geometry_travels():
    assert pickle.loads(pickle.dumps(TILTED)) == TILTED  # noqa: S301 - our own
    assert hash(TILTED) == hash(dataclasses.replace(TILTED))
