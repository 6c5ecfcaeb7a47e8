import numpy as np
import pytest

from tasks.errors import DataError
from tasks.xas.match import match
from tasks.xas.match_confidence import TOLERANCE, answers

ENERGY = np.arange(7080.0, 7200.0, 0.5)


def compound(edge, height, width=2.0):
    """An edge with a white line and one wiggle."""
    rise = 0.5 + np.arctan((ENERGY - edge) / 1.2) / np.pi
    line = height * np.exp(-(((ENERGY - edge - 4) / width) ** 2))
    return rise + line + 0.05 * np.sin((ENERGY - edge) / width) * (edge + 6 < ENERGY)


LIBRARY = np.stack([compound(7112, 0.2), compound(7118, 0.6), compound(7120, 0.7, 3.0)])
NAMES = ["metal", "oxide", "hydroxide"]


@pytest.mark.parametrize("alignment", ["half", "correlation", "free", "fit"])
@pytest.mark.parametrize("shift", [-1.3, 0.0, 1.4])
def test_shifted_spectra_are_found_with_their_shift(alignment, shift):
    queries = np.stack([np.interp(ENERGY - shift, ENERGY, each) for each in LIBRARY])
    found = match(ENERGY, queries, LIBRARY, alignment=alignment)
    assert found.misfit.argmin(axis=1).tolist() == [0, 1, 2]
    assert found.votes.argmax(axis=1).tolist() == [0, 1, 2]
    assert np.abs(np.diag(found.shift) - shift).max() < 0.15
    assert np.diag(found.misfit).max() < 0.01


def test_without_alignment_a_shift_leads_astray():
    query = np.interp(ENERGY + 1.5, ENERGY, LIBRARY[2])[None]
    assert match(ENERGY, query, LIBRARY, alignment="none").misfit.argmin() == 1
    assert match(ENERGY, query, LIBRARY).misfit.argmin() == 2


def test_noise_is_taken_off_the_misfit():
    rng = np.random.default_rng(2)
    noisy = LIBRARY[[1] * 20] + 0.01 * rng.normal(size=(20, len(ENERGY)))
    found = match(ENERGY, noisy, LIBRARY)
    assert np.median(found.misfit[:, 1]) < 0.004
    assert np.all(found.resolution < 0.006)
    known = match(ENERGY, noisy, LIBRARY, noise=np.full(20, 0.01), library_noise=np.zeros(3))
    assert np.abs(found.misfit[:, 0] - known.misfit[:, 0]).max() < 0.002


def test_a_wrong_edge_step_is_forgiven_a_little():
    found = match(ENERGY, LIBRARY[:1] * np.array([[1.04], [1.3]]), LIBRARY[:1])
    assert found.misfit[0, 0] < 0.002
    assert found.misfit[1, 0] > TOLERANCE


def test_answers_name_what_is_there_and_nothing_else():
    found = match(ENERGY, LIBRARY, LIBRARY)
    assert [each.compound for each in answers(found, NAMES)] == NAMES
    (there, *_) = answers(found, NAMES)
    assert there.candidates[0].confidence > 0.99
    assert there.reason.startswith("metal, with a confidence of 100 %")
    assert sum(each.confidence for each in there.candidates) + there.no_match == pytest.approx(1)
    (absent,) = answers(match(ENERGY, LIBRARY[:1], LIBRARY[1:]), NAMES[1:])
    assert absent.compound is None
    assert absent.no_match > 0.99
    assert absent.reason.startswith("No match: oxide is nearest, but differs by 0.")


def test_several_entries_of_a_compound_are_one_candidate():
    entries = np.concatenate([LIBRARY, LIBRARY[:1] * 1.1])
    (answer,) = answers(match(ENERGY, LIBRARY[:1], entries), [*NAMES, "metal"])
    assert [each.compound for each in answer.candidates].count("metal") == 1
    assert answer.candidates[0].entry == 0


def test_the_votes_of_the_metrics_are_told_where_they_differ():
    found = match(ENERGY, LIBRARY[:1], LIBRARY)
    found.votes[0] = [1, 9, 2]
    assert "but most metrics prefer oxide" in answers(found, NAMES)[0].reason


def test_an_empty_library_has_no_match():
    found = match(ENERGY, LIBRARY[:1], LIBRARY)
    empty = type(found)(*(part[:, :0] for part in vars(found).values()))
    (answer,) = answers(empty, [])
    assert (answer.compound, answer.no_match) == (None, 1.0)


def test_a_spectrum_without_an_edge_is_a_fault_of_the_data():
    with pytest.raises(DataError, match="Spectrum 1 does not rise through"):
        match(ENERGY, np.stack([LIBRARY[0], 0.1 * LIBRARY[0]]), LIBRARY)
