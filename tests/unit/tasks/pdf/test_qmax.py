import numpy as np
import pytest

from tasks.pdf.qmax import powers, propose_qmax

Q = np.linspace(0.8, 30, 2921)


def curve(rng, noise, frames=1, damping=0.006):
    """Three shells that fade, and noise that grows as Q / <f>² makes it."""
    signal = sum(np.sin(Q * r) for r in (2.5, 3.6, 6.1)) * np.exp(-damping * Q**2)
    sigma = noise * np.exp(0.1 * Q) * np.ones((frames, 1))
    return signal + sigma * rng.normal(size=sigma.shape), sigma, signal


def test_it_is_where_the_noise_takes_over():
    rng = np.random.default_rng(1)
    f, sigma, _ = curve(rng, 0.02)
    rmax, step = 30.0, Q[1] - Q[0]
    power = 1.5 * np.exp(-0.012 * Q**2)  # of the three shells, averaged over their phases
    floor = sigma[0] ** 2 * step / (np.pi / rmax)
    wanted = Q[np.argmax(power < floor)]
    assert propose_qmax(Q, f, sigma, rmax=rmax) == pytest.approx(wanted, abs=1.5)


def test_less_noise_reaches_further():
    rng = np.random.default_rng(2)
    found = [propose_qmax(Q, *curve(rng, noise)[:2]) for noise in (0.3, 0.05, 0.005)]
    assert found[0] < found[1] - 1 < found[2] - 2


def test_a_series_gets_one_and_it_is_steady():
    found = [
        propose_qmax(Q, *curve(np.random.default_rng(seed), 0.05, frames=20)[:2])
        for seed in range(5)
    ]
    assert np.ptp(found) < 0.8


def test_clean_data_are_used_to_their_end():
    f, sigma, _ = curve(np.random.default_rng(3), 1e-6)
    assert propose_qmax(Q, f, sigma) == Q[-1]
    assert propose_qmax(Q, f, sigma, qmax=22.0) == 22.0


def test_a_slow_slope_is_not_signal():
    f, sigma, _ = curve(np.random.default_rng(5), 0.05)
    bent = f + 0.002 * (Q - 15) ** 2
    assert propose_qmax(Q, bent, sigma) == pytest.approx(propose_qmax(Q, f, sigma), abs=1.0)


def test_noise_alone_has_no_power_of_signal():
    rng = np.random.default_rng(6)
    sigma = np.full((200, len(Q)), 0.3)
    _, signal, noise = powers(Q, sigma * rng.normal(size=sigma.shape), sigma, 30.0)
    assert np.abs(signal / noise).max() < 0.15
