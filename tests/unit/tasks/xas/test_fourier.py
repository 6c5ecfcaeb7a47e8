import array_api_strict
import numpy as np
import pytest

from tasks.algorithm import Engine
from tasks.xas.fourier import back_transform, transform
from tasks.xas.windows import window

K = 0.05 * np.arange(301)


@pytest.fixture(params=["reference", "numpy"], autouse=True)
def implementation(request):
    with Engine(prefer={"xas.transform": request.param}).active():
        yield request.param


def shell(distance):
    return np.sin(2 * K * distance) / np.maximum(K, 0.05) ** 2


def test_a_shell_peaks_at_its_distance():
    result = transform(K, np.stack([shell(2.2), shell(3.1)]))
    assert result.chi_r.shape == (2, 326)
    peaks = result.r[np.argmax(np.abs(result.chi_r), axis=1)]
    assert np.abs(peaks - [2.2, 3.1]).max() < 0.02


def test_it_is_the_padded_fft_of_the_weighted_and_windowed_chi():
    chi = np.random.default_rng(3).normal(size=(3, len(K)))
    weighted = chi * K**3 * window("kaiser", K, 2.0, 13.0, 2.0)
    expected = 0.05 / np.sqrt(np.pi) * np.fft.fft(weighted, 2048)[:, :326]
    result = transform(K, chi, 2.0, 13.0, 2.0, 3, "kaiser")
    assert np.abs(result.chi_r - expected).max() < 1e-11 * np.abs(expected).max()
    assert result.r[1] == pytest.approx(np.pi / 102.4)


def test_there_and_back_leaves_what_the_windows_leave():
    chi = (shell(2.2) + shell(6.0))[None]
    result = transform(K, chi, 3.0, 13.0, 1.0)
    near = back_transform(result.r, result.chi_r, 1.0, 4.0, 0.5)
    alone = shell(2.2) * K**2 * window("hanning", K, 3.0, 13.0, 1.0)
    inside = (K > 4.5) & (K < 11.5)  # at the ends the window in R spreads what it cuts
    assert np.abs(near.q[: len(K)] - K).max() < 1e-12
    assert np.abs(near.chi_q[0, : len(K)].real - alone)[inside].max() < 0.05


def test_a_bad_spectrum_does_not_touch_the_others():
    chi = np.stack([shell(2.2), np.full(len(K), np.nan)])
    result = transform(K, chi)
    assert np.isfinite(result.chi_r[0]).all()
    assert np.isnan(result.chi_r[1]).all()


def test_both_need_the_array_api_standard_alone():
    (k, chi), options = transform.cases["shells_of_neighbours"]()
    reference = transform.implementations["reference"].function
    strict = reference(array_api_strict.asarray(k), array_api_strict.asarray(chi), **options)
    expected = transform(k, chi, **options)
    assert np.abs(np.asarray(strict.chi_r) - expected.chi_r).max() < 1e-12
    back = back_transform.implementations["reference"].function(strict.r, strict.chi_r)
    assert np.asarray(back.chi_q) == pytest.approx(
        back_transform(expected.r, expected.chi_r).chi_q, abs=1e-12
    )
