import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.clusters import cluster, parts

ENERGY = np.linspace(-20, 60, 100)


def compound(place, line):
    x = ENERGY - place
    return 0.5 + np.arctan(x / 1.2) / np.pi + line * np.exp(-(((x - 4) / 3) ** 2))


KINDS = np.stack([compound(0, 0.1), compound(5, 0.5), compound(9, 0.9)])


def grouped(counts, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(3), counts))
    return KINDS[truth] + noise * rng.normal(size=(len(truth), 100)), truth


def test_groups_are_found_with_their_number_and_mean():
    spectra, truth = grouped([70, 40, 20])
    found = cluster(spectra)
    assert np.array_equal(found.labels, truth)
    assert max(found.silhouette, key=found.silhouette.get) == 3
    assert np.abs(found.centres - KINDS).max() < 0.02


def test_the_same_spectra_make_the_same_groups():
    spectra, _ = grouped([30, 30, 30], noise=0.3)
    assert np.array_equal(cluster(spectra, number=4).labels, cluster(spectra, number=4).labels)
    assert list(cluster(spectra, number=4).silhouette) == [4]


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_spectra_are_refused(count):
    with pytest.raises(DataError, match=f"{count} spectra cannot be grouped"):
        cluster(KINDS[:count])


def test_parts_add_up_to_the_spectra():
    rng = np.random.default_rng(1)
    shapes = np.exp(-(((ENERGY - np.array([[0], [20], [40]])) / 5) ** 2))
    amounts = rng.uniform(0, 1, (80, 3)) * np.array([3, 2, 1])
    found = parts(amounts @ shapes, 3)
    assert found.residual < 1e-3
    assert np.all(found.amounts >= 0)
    assert np.all(found.spectra >= 0)
    for mine, true in zip(found.amounts.T, amounts.T, strict=True):
        assert np.corrcoef(mine, true)[0, 1] > 0.99
    assert found.clipped == 0


def test_negative_values_are_counted():
    spectra, _ = grouped([10, 10, 10])
    found = parts(spectra - 0.05, 2)
    assert 0.005 < found.clipped < 0.05
    assert found.residual < 0.1


def test_more_parts_than_spectra_are_refused():
    with pytest.raises(DataError, match="cannot be factored into 3 parts"):
        parts(KINDS, 3)
