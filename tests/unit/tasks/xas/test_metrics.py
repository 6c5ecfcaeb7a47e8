import array_api_strict
import numpy as np
import pytest

from tasks.xas.metrics import COMMITTEE, Metric, borda, distances

ENERGY = np.linspace(-20, 60, 120)
CURVES = np.stack([1 / (1 + np.exp(place - ENERGY)) for place in (0.0, 2.0, 6.0)])


@pytest.mark.parametrize("metric", COMMITTEE, ids=["-".join(each) for each in COMMITTEE])
def test_nearer_spectra_have_smaller_distances(metric):
    found = distances(CURVES, CURVES, *metric)
    assert np.abs(np.diag(found)).max() < 1e-12
    assert np.allclose(found, found.T, rtol=1e-9)
    assert found[0].tolist() == sorted(found[0])
    assert np.all(found[0, 1:] > 1e-6)


def test_distances_are_what_they_are_called():
    ones = np.ones((1, 4))
    other = np.array([[1.0, 1.0, 1.0, 0.0]])
    assert distances(ones, other, "euclidean")[0, 0] == pytest.approx(0.5)
    assert distances(ones, other, "ruzicka")[0, 0] == pytest.approx(0.25)
    assert distances(ones, other, "cosine")[0, 0] == pytest.approx(1 - np.sqrt(3) / 2)


def test_scaled_spectra_are_the_same_by_area_and_intensity():
    for scale in ("area", "intensity"):
        assert distances(CURVES, 3 * CURVES, "euclidean", scale).diagonal().max() < 1e-12


def test_entries_may_be_aligned_to_each_spectrum():
    own = np.stack([CURVES, CURVES[::-1], CURVES])
    found = distances(CURVES, own, "euclidean")
    assert np.array_equal(found[0], distances(CURVES[:1], CURVES, "euclidean")[0])
    assert np.array_equal(found[1], distances(CURVES[1:2], CURVES[::-1], "euclidean")[0])


@pytest.mark.parametrize("case", list(distances.cases))
def test_the_array_api_alone_is_enough(case):
    args, _ = distances.cases[case]()
    strict = [array_api_strict.asarray(each) for each in args[:2]]
    reference = distances.implementations["reference"].function
    assert np.allclose(np.asarray(reference(*strict, *args[2:])), reference(*args), rtol=1e-12)


def test_borda_counts_how_many_are_farther():
    first, second = [0.1, 0.2, 0.3], [0.2, 0.1, 0.3]
    assert borda(np.array([[first], [second]])).tolist() == [[3, 3, 0]]
    assert borda(np.array([[first], [first], [second]])).argmax() == 0


def test_metrics_have_names():
    assert Metric("cosine") == ("cosine", "none", "none")
    assert len(set(COMMITTEE)) == len(COMMITTEE)
