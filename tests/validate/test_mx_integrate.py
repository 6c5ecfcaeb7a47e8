"""Prediction and integration beside DIALS' own, on a DNA oligonucleotide and on L-cysteine."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.optimize import least_squares

from tasks.io.dials import read_experiments
from tasks.io.dials_table import read_reflections
from tasks.io.diffraction import Geometry, open_images
from tasks.io.scan import ScanReference
from tasks.mx.corrections import correction, efficiency, lorentz, polarisation
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import from_laboratory, rays_to_pixels, rotation_matrix
from tasks.mx.integrate_block import integrate_block
from tasks.mx.mosaicity import Mosaicity, reflecting_range
from tasks.mx.predict import predict
from tasks.mx.profile import join_profiles, learn_profiles
from tasks.mx.reflections import Flag
from tests.validate.chain import real_data

UNUSABLE = Flag.OVERLOADED | Flag.NO_PROFILE | Flag.NO_BACKGROUND
ATTENUATION = 0.252500934883  # mm of silicon, with which those positions have their parallax


def table(name):
    read = read_reflections(real_data(name))
    rows = (np.abs(read["s1"]).sum(axis=1) > 0) & (read["lp"] > 0)
    return {key: column[rows] for key, column in read.items()}


@cache
def oligonucleotide() -> tuple[Geometry, Crystal, dict]:
    """
    Geometry, crystal and reflections of `centroid_reference`.

    Its experiments are not those that its reflections were predicted with (1.2 pixels off). These
    follow from the reflections: the detector from rays and pixels, the beam from rays and
    resolution, the crystal from rays and indices.
    """
    found = table("mx/centroid_reference/integrated.refl")
    given = read_experiments(real_data("mx/centroid_reference/indexed.expt"))[0].geometry
    given = given.with_detector(thickness=0.32, absorption=1 / ATTENUATION)

    def moved(p):
        turn = np.eye(3)
        for axis, angle in zip(np.eye(3), p, strict=False):
            turn = turn @ rotation_matrix(axis, angle)
        old = given.detector
        return given.with_detector(
            origin=turn @ old.origin + p[3:], fast=turn @ old.fast, slow=turn @ old.slow
        )

    def off(p):
        return (rays_to_pixels(moved(p), found["s1"]) - found["xyzcal.px"][:, :2]).ravel()

    geometry = moved(least_squares(off, np.zeros(6)).x)
    s0 = least_squares(
        lambda p: np.linalg.norm(found["s1"] - p, axis=1) * found["d"] - 1, given.beam.s0
    ).x
    geometry = geometry.with_beam(direction=s0 / np.linalg.norm(s0))
    points = from_laboratory(geometry, found["s1"] - geometry.beam.s0, found["xyzcal.px"][:, 2])
    a_matrix = np.linalg.lstsq(found["miller_index"].astype(float), points, rcond=None)[0].T
    return geometry, Crystal(a_matrix), found


def pair(hkl, z, theirs):
    """Rows of ours and theirs that are the same crossing."""
    ours = {}
    for row, key in enumerate(map(tuple, hkl)):
        ours.setdefault(key, []).append(row)
    pairs = [
        (row, other)
        for other, key in enumerate(map(tuple, theirs["miller_index"]))
        for row in ours.get(key, [])
        if abs(z[row] - theirs["xyzcal.px"][other, 2]) < 0.5
    ]
    return np.array(pairs).T


def test_predicted_positions_are_those_of_dials():
    geometry, crystal, theirs = oligonucleotide()
    ours = predict(geometry, crystal, theirs["d"].min() - 1e-6, zeta_min=0.0)
    a, b = pair(ours.hkl, ours.xyz[:, 2], theirs)
    off = np.abs(ours.xyz[a] - theirs["xyzcal.px"][b])
    print(f"\n{len(a)} of {len(theirs['d'])}: median {np.median(off)}, most {off.max():.2g} px")
    assert len(np.unique(b)) > 0.99 * len(theirs["d"])
    assert off.max() < 1e-4
    np.testing.assert_array_equal(ours.entering[a], theirs["entering"][b])
    np.testing.assert_allclose(np.abs(ours.zeta[a]), np.abs(theirs["zeta"][b]), atol=1e-9)


def test_corrections_are_those_of_dials():
    geometry, _, theirs = oligonucleotide()
    product = lorentz(geometry, theirs["s1"]) * polarisation(geometry, theirs["s1"])
    np.testing.assert_allclose(product * theirs["lp"], 1, rtol=1e-5)
    np.testing.assert_allclose(efficiency(geometry, theirs["s1"]), theirs["dqe"], rtol=1e-5)


@pytest.mark.parametrize(("number", "name"), [(1, "l-cyst_01"), (0, "l-cyst_04")])
def test_cysteine_is_integrated_as_dials_did(number, name):
    """The first 15 images of sweeps that DIALS integrated whole; its crystal and geometry."""
    experiment = read_experiments(real_data("mx/l_cysteine_reference/scaled_20_25.expt"))[number]
    folder = real_data("mx/l_cysteine")
    with open_images(ScanReference(str(folder), f"{name}_#####.cbf.gz", "cbf_series")) as opened:
        images, mask, saturation = opened.read(), opened.mask, opened.saturation
    end, d_min = len(images), 0.6
    old = experiment.geometry
    geometry = replace(old, rotation=replace(old.rotation, images=end))
    along = experiment.crystal.a_matrices
    crystal = replace(experiment.crystal, a_matrices=None if along is None else along[: end + 1])
    given = geometry, crystal
    widths = reflecting_range(images, 0, *given, Mosaicity(0.06, 0.1), mask, saturation, d_min)
    learned = learn_profiles(images, 0, *given, widths, mask, saturation, d_min, (0, end))
    model = join_profiles([learned], geometry)
    ours = integrate_block(images, 0, *given, model, mask, saturation, block=(0, end))
    theirs = table("mx/l_cysteine_reference/scaled_20_25.refl")
    kept = (theirs["id"] == number) & (theirs["intensity.prf.variance"] > 0)
    theirs = {key: column[kept] for key, column in theirs.items()}
    a, b = pair(ours.hkl, ours.xyz[:, 2], theirs)
    whole = (ours.partiality[a] > 0.95) & ~ours.has(UNUSABLE)[a]
    a, b = a[whole], b[whole]
    off = np.abs(ours.xyz[a] - theirs["xyzcal.px"][b])
    fitted = np.corrcoef(ours.fitted[a], theirs["intensity.prf.value"][b])[0, 1]
    summed = np.corrcoef(ours.summed[a], theirs["intensity.sum.value"][b])[0, 1]
    print(f"\n{name}: {len(a)} reflections, {widths}")
    print(f"CC of fitted {fitted:.5f}, of summed {summed:.5f}; positions {off.max():.2g} px")
    assert len(a) >= 10
    assert off.max() < 0.01
    assert fitted > 0.99
    assert summed > 0.99
    strong = ours.fitted[a] > 5 * ours.fitted_sigma[a]
    logs = np.log(ours.fitted[a][strong]), np.log(theirs["intensity.prf.value"][b][strong])
    assert np.corrcoef(*logs)[0, 1] > 0.99
    factor = theirs["lp"][b] / theirs["dqe"][b]
    np.testing.assert_allclose(correction(geometry, ours.s1[a]), factor, rtol=1e-4)
