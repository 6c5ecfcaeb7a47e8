import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.compatible import compatible, polynomial_terms, remove_polynomial
from tasks.pdf.composition import parse
from tasks.pdf.scattering import mean_form_factor, mean_square_form_factor
from tasks.pdf.structure_function import resample

NI = parse("Ni")
Q = np.linspace(0.5, 24, 2000) ** 1.003


def pattern(q=Q, frames=1):
    """Shells at three distances on a bent background, (frames, bins)."""
    waves = sum(np.sin(q * r) / (q * r) * 2 * np.exp(-0.005 * q**2) for r in (2.49, 3.52, 4.31))
    square = mean_square_form_factor(NI, q)
    one = 0.3 * (square * (1.5 + waves) + 20 + 0.4 * q)
    return one * np.linspace(1, 2, frames)[:, None], waves


def test_the_polynomial_takes_what_is_slow_and_leaves_distances():
    q = np.linspace(1, 24, 1000)
    slow = q * (0.3 - 0.02 * q + 0.001 * q**2)
    fast = 0.5 * np.sin(2.5 * q)
    left = remove_polynomial(q, (slow + fast)[None], 0.9)[0]
    inner = (q > 3) & (q < 22)  # at the ends even a stiff polynomial finds something to follow
    assert np.abs(left - fast)[inner].max() < 0.07
    assert np.abs(remove_polynomial(q, slow[None], 0.9)).max() < 1e-9


def test_terms_between_whole_numbers_are_mixed():
    q = np.linspace(1, 24, 500)
    rng = np.random.default_rng(1)
    f = rng.normal(size=(2, 500))

    def whole(terms):
        basis = q[:, None] * np.polynomial.chebyshev.chebvander((q - 12.5) / 11.5, terms - 1)
        return f - (basis @ np.linalg.lstsq(basis, f.T, rcond=None)[0]).T

    rpoly = 6.3 * np.pi / 23
    assert polynomial_terms(q, rpoly) == pytest.approx(6.3)
    wanted = 0.7 * whole(6) + 0.3 * whole(7)
    np.testing.assert_allclose(remove_polynomial(q, f, rpoly), wanted, atol=1e-10)


def test_distances_survive_and_scale_does_not_matter():
    block, waves = pattern(frames=3)
    found = compatible(Q, block, np.sqrt(block), NI, qmin=0.8, qmaxinst=23, rpoly=0.9)
    wanted = found.q * np.interp(found.q, Q, waves)
    inner = (found.q > 2) & (found.q < 22)
    for f in found.f:
        along = (f[inner] @ wanted[inner]) / (wanted[inner] @ wanted[inner])
        assert np.corrcoef(f[inner], wanted[inner])[0, 1] > 0.99
        assert 0 < along < 2  # not one: the amplitude is not absolute
    np.testing.assert_allclose(found.f[2], found.f[0], atol=1e-9)
    np.testing.assert_allclose(found.details["a"] * [1, 1.5, 2], found.details["a"][0])
    np.testing.assert_allclose(found.s, 1 + found.f / found.q)


def test_the_details_say_how_it_was_made():
    block, _ = pattern()
    found = compatible(Q, block, None, NI, qmin=0.8, qmaxinst=23, rpoly=0.9, qstep=0.01)
    assert found.mode == "compatible"
    assert found.details["nf"] == pytest.approx(0.9 * (23 - 0.8) / np.pi, abs=1e-6)
    assert found.details["w"] == pytest.approx(found.details["nf"] % 1)
    np.testing.assert_allclose(found.q / 0.01, np.round(found.q / 0.01), atol=1e-9)
    assert np.all(found.f_sigma == 0)


def test_unknown_bins_are_bridged():
    block, _ = pattern()
    holed = block.copy()
    holed[0, [100, 101, 900]] = np.nan
    whole = compatible(Q, block, None, NI, qmin=0.8, qmaxinst=23, qstep=0.0115)
    found = compatible(Q, holed, None, NI, qmin=0.8, qmaxinst=23, qstep=0.0115)
    assert np.abs(found.f - whole.f).max() < 0.02


def test_resampled_noise_keeps_the_variance_of_averages():
    rng = np.random.default_rng(2)
    old, new = np.linspace(0, 10, 1001) ** 1.02, np.linspace(0.5, 9.5, 800)
    noise = rng.normal(size=(4000, 1001))
    values, variance = resample(old, noise, np.ones((1, 1001)), new)
    weights = np.sin(3 * new)
    assert (values @ weights).std() == pytest.approx(np.sqrt(variance[0] @ weights**2), rel=0.04)


def test_sigma_is_the_noises_scatter_in_averages():
    block, _ = pattern()
    rng = np.random.default_rng(3)
    counts = rng.poisson(block * 50, (400, len(Q))) / 50
    found = compatible(Q, counts, np.sqrt(block / 50) * np.ones((400, 1)), NI, qmin=1, qmaxinst=22)
    weights = np.sin(5 * found.q)
    scatter = (found.f @ weights).std()
    stated = np.sqrt(found.f_sigma[0] ** 2 @ weights**2)
    assert 0.9 < scatter / stated < 1.1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"qmin": 0.1}, "reaches beyond the pattern"),
        ({"qmaxinst": 30}, "reaches beyond the pattern"),
        ({"qmin": 22, "qmaxinst": 22.2}, "not enough"),
    ],
)
def test_a_range_without_data_is_refused(changes, says):
    block, _ = pattern()
    with pytest.raises(DataError, match=says):
        compatible(Q, block, None, NI, **({"qmin": 0.8, "qmaxinst": 23} | changes))


def test_patterns_that_do_not_fit_are_refused():
    block, _ = pattern()
    with pytest.raises(DataError, match="do not belong together"):
        compatible(Q[:-1], block, None, NI, qmin=0.8, qmaxinst=23)
    with pytest.raises(DataError, match="must increase"):
        compatible(Q[::-1], block, None, NI, qmin=0.8, qmaxinst=23)
    with pytest.raises(DataError, match="no intensity above its background"):
        compatible(Q, -block, None, NI, qmin=0.8, qmaxinst=23)


def test_a_thousand_patterns_take_seconds():
    import time

    block, _ = pattern(frames=1000)
    start = time.perf_counter()
    found = compatible(Q, block, np.sqrt(block), NI, qmin=0.8, qmaxinst=23)
    assert found.f.shape[0] == 1000
    assert time.perf_counter() - start < 10
    assert mean_form_factor(NI, found.q).shape == found.q.shape
