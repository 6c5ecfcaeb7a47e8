"""Prediction against crossings that were searched for on a grid of angles."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.io.diffraction import Rotation
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import rays_to_pixels, rotation_matrix, to_laboratory
from tasks.mx.predict import blind_fraction, centring_absent, predict
from tests.unit.tasks.mx.photons import crossings, setting


def by_index(hkl, z):
    return sorted((*(int(i) for i in h), round(float(at), 4)) for h, at in zip(hkl, z, strict=True))


def test_all_crossings_are_found_where_they_are():
    geometry, crystal = setting()
    found = predict(geometry, crystal, 3.6)
    hkl, s1, z = crossings(geometry, crystal, 3.6)
    xy = rays_to_pixels(geometry, s1)
    zeta = np.cross(s1, geometry.beam.s0)[:, 0]
    zeta /= np.linalg.norm(np.cross(s1, geometry.beam.s0), axis=1)
    on = (z >= 0) & (z < 60) & (xy > 0).all(1) & (xy < 512).all(1) & (np.abs(zeta) >= 0.05)
    assert len(found) == on.sum() > 2000
    assert by_index(found.hkl, found.xyz[:, 2]) == by_index(hkl[on], z[on])
    order = np.argsort(z[on])
    np.testing.assert_allclose(found.xyz[:, :2], xy[on][order], atol=1e-5)
    np.testing.assert_allclose(found.zeta, zeta[on][order], atol=1e-7)


def test_what_enters_is_inside_a_moment_later():
    geometry, crystal = setting()
    found = predict(geometry, crystal, 5.0)
    later = to_laboratory(geometry, crystal.points(found.hkl), found.xyz[:, 2] + 0.01)
    inside = np.linalg.norm(later + geometry.beam.s0, axis=1) < 1 / geometry.beam.wavelength
    np.testing.assert_array_equal(inside, found.entering)


def test_a_crystal_that_turns_along_the_sweep_is_followed():
    geometry, crystal = setting(images=200)
    along = np.array(
        [
            rotation_matrix(np.array([0.3, 0.5, 0.8]), 0.001 * i) @ crystal.a_matrix
            for i in range(201)
        ]
    )
    slipping = replace(crystal, a_matrices=along)
    found = predict(geometry, slipping, 4.0)
    z = found.xyz[:, 2]
    rays = geometry.beam.s0 + to_laboratory(geometry, slipping.points(found.hkl, z), z)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1, atol=1e-9)
    assert len(found) == pytest.approx(len(predict(geometry, crystal, 4.0)), rel=0.02)


def test_turning_backwards_or_more_than_once():
    geometry, crystal = setting()
    there = predict(geometry, crystal, 4.0)
    back = replace(geometry, rotation=Rotation(28.0, -0.3, 60))
    again = predict(back, crystal, 4.0)
    assert by_index(again.hkl, 60 - again.xyz[:, 2]) == by_index(there.hkl, there.xyz[:, 2])
    twice = predict(replace(geometry, rotation=Rotation(10.0, 0.3, 2400)), crystal, 8.0)
    once = predict(replace(geometry, rotation=Rotation(10.0, 0.3, 1200)), crystal, 8.0)
    assert len(twice) == 2 * len(once)


def test_range_of_images_and_stills():
    geometry, crystal = setting()
    whole = predict(geometry, crystal, 4.0)
    parts = [predict(geometry, crystal, 4.0, z_range=(a, a + 20.0)) for a in (0.0, 20.0, 40.0)]
    assert sum(map(len, parts)) == len(whole)
    with pytest.raises(DataError, match="stills"):
        predict(replace(geometry, rotation=Rotation(0.0, 0.0, 1)), crystal, 4.0)


def test_blind_region_is_the_cusp():
    geometry, _ = setting()
    crystal = Crystal(np.eye(3) / 60)
    found = blind_fraction(geometry, crystal, 2.0)
    assert 0.001 < found < 0.03


@pytest.mark.parametrize(
    ("symbol", "present", "absent"),
    [
        ("P 21", (1, 0, 0), None),
        ("C 1 2 1", (1, 1, 0), (1, 0, 0)),
        ("I 2 3", (1, 1, 2), (1, 1, 1)),
        ("F 4 3 2", (1, 1, 1), (1, 1, 2)),
        ("A 1 2 1", (0, 1, 1), (0, 1, 0)),
        ("R 3 :H", (1, 0, 1), (1, 0, 0)),
        ("R 3 :R", (1, 0, 0), None),
    ],
)
def test_centring(symbol, present, absent):
    assert not centring_absent(np.array([present]), symbol)[0]
    if absent:
        assert centring_absent(np.array([absent]), symbol)[0]
