import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.mcr import ambiguity, resolve

ENERGY = np.linspace(-20, 60, 120)
TIME = np.linspace(0, 1, 60)


def compound(place, line, wiggle):
    x = ENERGY - place
    rise = 0.5 + np.arctan(x / 1.2) / np.pi
    return rise + line * np.exp(-(((x - 4) / 3) ** 2)) + 0.05 * np.sin(x / wiggle) * (x > 8)


def peaks():
    """Components that each have an energy of their own."""
    return np.stack([np.exp(-(((ENERGY - place) / 4) ** 2)) for place in (0, 20, 40)])


def consecutive():
    """One becomes another becomes a third; the second is never alone."""
    first, second = np.exp(-6 * TIME), 6 / 3.5 * (np.exp(-2.5 * TIME) - np.exp(-6 * TIME))
    return np.stack([first, second, 1 - first - second], axis=1)


XANES = np.stack([compound(9, 0.8, 2.5), compound(4, 0.5, 3), compound(0, 0.1, 4)])


def paired(found, truth):
    """Order of the components found that is nearest to the truth."""
    apart = np.sum((found.spectra[:, None] - truth) ** 2, axis=2)
    return apart.argmin(axis=0)


def test_components_with_energies_and_times_of_their_own_are_found_and_unique():
    fractions = np.maximum(1 - np.abs(2 * TIME[:, None] - np.array([0, 1, 2])), 0)
    rng = np.random.default_rng(1)
    spectra = fractions @ peaks() + 1e-4 * rng.normal(size=(60, 120))
    found = resolve(spectra, 3)
    order = paired(found, peaks())
    assert found.converged
    assert sorted(order) == [0, 1, 2]
    assert np.abs(found.fractions[:, order] - fractions).max() < 0.01
    assert np.abs(found.spectra[order] - peaks()).max() < 0.01
    band = ambiguity(found)
    assert band.width.max() < 0.02


def test_fractions_and_spectra_keep_their_bounds():
    rng = np.random.default_rng(2)
    spectra = consecutive() @ XANES + 0.002 * rng.normal(size=(60, 120))
    found = resolve(spectra, 3)
    assert found.fractions.min() >= 0
    assert np.abs(found.fractions.sum(axis=1) - 1).max() < 1e-9
    assert found.spectra.min() >= 0
    assert found.residual == pytest.approx(0.002, rel=0.1)
    assert found.explained > 0.9999


def test_the_band_holds_the_truth_where_other_solutions_fit_as_well():
    found = resolve(consecutive() @ XANES, 3)
    order = paired(found, XANES)
    assert sorted(order) == [0, 1, 2]
    band = ambiguity(found)
    total = np.linalg.norm(consecutive() @ XANES)
    sizes = np.linalg.norm(consecutive(), axis=0) * np.linalg.norm(XANES, axis=1) / total
    assert np.all(band.share[0, order] <= sizes + 0.01)
    assert np.all(band.share[1, order] >= sizes - 0.01)
    assert band.width[order[1]] > 0.1
    assert band.reason.startswith("Other solutions fit as well")


def test_solutions_of_the_band_explain_the_series_as_well():
    amounts = 0.1 + 0.8 * TIME[:, None]
    found = resolve(amounts * XANES[0] + (1 - amounts) * XANES[2], 2)
    band = ambiguity(found)
    for end in range(2):
        fractions = band.fractions[end][:, 0]
        both = np.stack([fractions, 1 - fractions], axis=1)
        spectra = found.fractions @ found.spectra
        rebuilt = both @ np.linalg.lstsq(both, spectra, rcond=None)[0]
        assert np.abs(rebuilt - spectra).max() < 1e-4


def test_known_spectra_are_kept_and_narrow_the_rest():
    rng = np.random.default_rng(3)
    spectra = consecutive() @ XANES + 0.001 * rng.normal(size=(60, 120))
    free, tied = resolve(spectra, 3), resolve(spectra, 3, known=XANES[[1]])
    assert np.array_equal(tied.spectra[0], XANES[1])

    def off(found, order):
        return np.sqrt(np.mean((found.fractions[:, order] - consecutive()) ** 2))

    assert off(tied, paired(tied, XANES)) < max(0.03, off(free, paired(free, XANES)))
    everything = resolve(spectra, 3, known=XANES)
    assert np.sqrt(np.mean((everything.fractions - consecutive()) ** 2)) < 0.01


def test_one_component_is_the_mean():
    found = resolve(np.ones((5, 1)) * XANES[0], 1)
    assert np.abs(found.spectra - XANES[0]).max() < 1e-6
    assert ambiguity(found).width.tolist() == [0]


@pytest.mark.parametrize(("number", "known"), [(60, 0), (2, 3)])
def test_what_cannot_be_resolved_is_refused(number, known):
    with pytest.raises(DataError, match="cannot be resolved"):
        resolve(consecutive() @ XANES, number, known=XANES[:known])
