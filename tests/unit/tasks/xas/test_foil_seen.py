"""A foil is what its own spectrum shows: real detectors behind samples with and without one."""

import numpy as np
import pytest

from tasks.xas.foil_seen import foil_seen

ENERGY = np.arange(7000.0, 7400.0, 1.0)


def edge(at, height=0.5, noise=1e-3):
    rng = np.random.default_rng(2)
    step = height * (0.5 + np.arctan((ENERGY - at) / 1.5) / np.pi)
    return step - 3e-4 * (ENERGY - 7000) + noise * rng.normal(size=len(ENERGY))


def test_the_samples_own_element_is_the_first_guess():
    assert foil_seen(ENERGY, edge(7112), "Fe").element == "Fe"


def test_a_foil_of_another_element_is_told_by_its_edge():
    assert foil_seen(ENERGY, edge(7112), "Eu").element == "Fe"


def test_a_named_foil_must_be_seen():
    assert foil_seen(ENERGY, edge(7112), "Fe", "Fe").element == "Fe"
    other = foil_seen(ENERGY, edge(7112), "Fe", "Co")
    assert other.element is None
    assert "said to be Co" in other.reason
    assert "Fe K" in other.reason


@pytest.mark.parametrize(
    "reference",
    [
        edge(7112, height=0.0),
        edge(7112, height=0.01, noise=5e-3),
        -edge(7112),
        np.full(len(ENERGY), np.nan),
        np.zeros(len(ENERGY)),
    ],
    ids=["none", "noise", "the sample's edge upside down", "no numbers", "nothing"],
)
def test_a_detector_without_a_foil_is_not_taken_for_one(reference):
    seen = foil_seen(ENERGY, reference, "Fe")
    assert seen.element is None
    assert "no edge" in seen.reason
