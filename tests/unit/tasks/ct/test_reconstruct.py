"""Details of the reconstruction; its science is in tests/validate."""

import threading

import numpy as np
import pytest

from tasks.algorithm import Engine
from tasks.ct.filters import WINDOWS, pad, response
from tasks.ct.quality import noise_between, sharpness
from tasks.ct.reconstruct import disc_off_centre, reconstruct
from tasks.resources import Resources


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 17])
def test_any_number_of_slices_is_packed_in_pairs_without_mixing(rows):
    (sinograms, angles, axis, pixel), _ = disc_off_centre()
    scale = np.arange(1, rows + 1, dtype=np.float32)[:, None, None]
    slices = reconstruct(sinograms[:1] * scale, angles, axis, pixel)
    single = reconstruct(sinograms[:1], angles, axis, pixel)
    assert slices.shape == (rows, 128, 128)
    assert slices.dtype == np.float32
    assert np.abs(slices - single * scale).max() < 1e-3 * rows * np.abs(single).max()


def test_threads_share_no_work_space():
    (sinograms, angles, axis, pixel), _ = disc_off_centre()
    expected, results = reconstruct(sinograms, angles, axis, pixel), []

    def work():
        with Engine(Resources(cores=1)).active():
            results.extend(reconstruct(sinograms, angles, axis, pixel) for _ in range(3))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 9
    assert all(np.allclose(each, expected, atol=1e-3) for each in results)


def test_pixel_size_scales_the_attenuation_and_smooth_filters_the_noise():
    (sinograms, angles, axis, _), _ = disc_off_centre()
    fine, coarse = (reconstruct(sinograms, angles, axis, size) for size in (0.001, 0.002))
    assert np.allclose(fine, 2 * coarse, rtol=1e-3, atol=1e-3)
    noisy = sinograms + 0.1 * np.random.default_rng(0).standard_normal(sinograms.shape)
    noisy = noisy.astype(np.float32)
    noise = [reconstruct(noisy, angles, axis, 0.01, name)[0].std() for name in WINDOWS]
    assert noise[0] > noise[1] > noise[2] > noise[3]


def test_an_unknown_filter_names_the_known_ones():
    (sinograms, angles, axis, pixel), _ = disc_off_centre()
    with pytest.raises(ValueError, match="'sharp'; choose one of ramp, shepp-logan"):
        reconstruct(sinograms, angles, axis, pixel, "sharp")


def test_the_ramp_keeps_the_mean_and_padding_joins_the_edges():
    assert response("ramp", 512)[0] == pytest.approx(2 / (np.pi**2 * 512), rel=0.1)
    row = np.r_[np.full(8, 2.0), np.zeros(8), np.full(8, 1.0)][None]
    padded = pad(row, 48)[0]
    assert padded[24] == pytest.approx(1.0, abs=0.01)
    assert padded[-1] == pytest.approx(2.0, abs=0.01)
    assert np.abs(np.diff(padded[24:])).max() < 0.1


def test_noise_and_sharpness():
    rng = np.random.default_rng(0)
    first, second = 5 + 0.3 * rng.standard_normal((2, 200, 200))
    assert noise_between(first, second) == pytest.approx(0.3, rel=0.05)
    assert noise_between(np.zeros((4, 4)), np.zeros((4, 4))) == 0
    edge = np.tile(np.r_[np.zeros(50), np.ones(50)], (100, 1))
    blurred = np.tile(np.clip((np.arange(100) - 30) / 40, 0, 1), (100, 1))
    assert sharpness(edge) > 5 * sharpness(blurred)
