"""Real scans: a tooth (DXchange) and a sinogram of dendrites with rings."""

import h5py
import numpy as np
import pytest
import scipy.io

from tasks.ct.flat_field import minus_log, normalise
from tasks.ct.quality import noise_between, sharpness
from tasks.ct.reconstruct import reconstruct
from tasks.ct.rotation_axis import find_rotation_axis
from tasks.ct.stripes import remove_stripes
from tests.validate.chain import real_data


@pytest.fixture(scope="module")
def tooth():
    with h5py.File(real_data("ct/tooth.h5")) as file:
        exchange = file["exchange"]
        projections, theta = exchange["data"][:], np.deg2rad(exchange["theta"][:])
        flats, darks = exchange["data_white"][:], exchange["data_dark"][:]
    positions = (np.arange(len(theta)) + 0.5) / len(theta)
    transmission = normalise(projections, flats, darks, np.zeros(len(flats)), positions)
    absorbance = minus_log(transmission)
    return remove_stripes(np.ascontiguousarray(absorbance.transpose(1, 0, 2))), theta


@pytest.fixture(scope="module")
def dendrites():
    content = scipy.io.loadmat(real_data("ct/tomobar_RealDataDend.mat"))
    sinogram = np.ascontiguousarray(content["sinoRD"].T, np.float32)[None]
    return sinogram, content["anglesRad"].ravel().astype(float)


def test_axis_of_the_tooth_in_both_rows(tooth):
    sinograms, theta = tooth
    found = find_rotation_axis(sinograms, theta, np.arange(2))
    assert found.agreed, found.reason
    assert all(abs(axis - 295.3) < 1 for axis in found.per_row), found
    assert all(abs(axis - 295.3) < 1 for axis in found.per_method.values()), found


def test_the_tooth_is_sharpest_and_its_air_is_empty_at_the_axis_found(tooth):
    sinograms, theta = tooth
    axis = find_rotation_axis(sinograms, theta, np.arange(2)).value
    offsets = np.array([-2, -1, 0, 1, 2])
    slices = [reconstruct(sinograms[:1], theta, axis + offset, 1.0)[0] for offset in offsets]
    y, x = np.indices(slices[0].shape) - 320
    radius = np.hypot(x, y)
    air = [slice_[(radius > 200) & (radius < 280)].std() for slice_ in slices]
    assert offsets[np.argmin(air)] == 0
    best = slices[2]
    enamel = np.median(best[best > 0.7 * np.quantile(best, 0.99)])
    assert air[2] < 0.1 * enamel
    assert abs(best[(radius > 200) & (radius < 280)].mean()) < 0.02 * enamel


def test_dendrites_reconstruct_at_their_centre(dendrites):
    sinogram, theta = dendrites
    clean = remove_stripes(sinogram)
    found = find_rotation_axis(clean, theta, np.array([0]))
    assert found.value == pytest.approx(627.75, abs=1.5), found.reason
    offsets = np.array([-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0])
    sharp = [sharpness(reconstruct(clean, theta, 627.75 + o, 1.0, "hann")[0]) for o in offsets]
    assert abs(offsets[np.argmax(sharp)]) <= 2, dict(zip(offsets, sharp, strict=True))


def test_rings_of_the_dendrites_vanish_and_the_rest_stays(dendrites):
    sinogram, theta = dendrites
    before = reconstruct(sinogram, theta, 627.75, 1.0)[0]
    after = reconstruct(remove_stripes(sinogram), theta, 627.75, 1.0)[0]
    assert ring_strength(after) < 0.5 * ring_strength(before)
    assert noise_between(after, before) < 0.2 * before[before != 0].std()


def ring_strength(slice_):
    """How much the mean over circles varies from one radius to the next, near the axis."""
    y, x = np.indices(slice_.shape) - slice_.shape[0] // 2
    radius = np.rint(np.hypot(x, y)).astype(int).ravel()
    near = (radius > 5) & (radius < 200)
    profile = np.bincount(radius[near], slice_.ravel()[near])[6:] / np.bincount(radius[near])[6:]
    return np.diff(profile).std()
