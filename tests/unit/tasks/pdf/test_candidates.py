import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.candidates import choose_candidate
from tasks.pdf.crystal import read_structure
from tasks.pdf.phases import fit_phases, fit_phases_series
from tests.unit.tasks.pdf.crystal_truth import CSCL, FE, NI, PO, cif, noise, simulate

QMAX = 25.0
R = np.arange(1, 1601) * 0.01
RANGE = {"qmax": QMAX, "rmax": 15.0}
KINDS = {"Ni": NI, "CsCl": CSCL, "Po": PO, "Fe": FE}
STRUCTURES = [read_structure(cif(kind), name) for name, kind in KINDS.items()]
COPPER = read_structure(cif(("Cu", *NI[1:2], 3.615, [("Cu", 29, NI[3][0][2])])), "Cu")


def mixture(share, first=NI, second=FE, **options):
    """G(r) of a mixture: `share` of the atoms are of the second."""
    weights = []
    for (_, _, _, sites), part in ((first, 1 - share), (second, share)):
        places = sum(len(each) for _, _, each in sites)
        mean = sum(z * len(each) for _, z, each in sites) / places
        weights.append((part, mean))
    overall = sum(part * mean for part, mean in weights)
    return sum(
        part * (mean / overall) ** 2 * simulate(kind, R, QMAX, **options)
        for (part, mean), kind in zip(weights, (first, second), strict=True)
    )


@pytest.mark.parametrize("name", KINDS)
def test_each_structure_is_found_among_the_others(name):
    choice = choose_candidate(R, simulate(KINDS[name], R, QMAX), None, STRUCTURES, **RANGE)
    assert choice.chosen.name == name
    assert not choice.alternatives
    assert choice.ranking[0] is choice.chosen
    assert choice.ranking[1].misfit > 0.3
    assert f"{name} fits, leaving 0." in choice.sentence


def test_none_fits_a_curve_of_another_structure():
    others = [each for each in STRUCTURES if each.name != "Fe"]
    choice = choose_candidate(R, simulate(FE, R, QMAX), None, others, **RANGE)
    assert choice.chosen is None
    assert "None of the 3 structures fits alone" in choice.sentence


def test_noise_does_not_count_as_misfit():
    rng = np.random.default_rng(5)
    g = simulate(NI, R, QMAX) + noise(R, QMAX, 4.0, rng)[0]
    fair = choose_candidate(R, g, np.full_like(R, 4.0), STRUCTURES, **RANGE)
    assert fair.chosen.name == "Ni"
    assert fair.chosen.fit.rw > 0.4
    assert choose_candidate(R, g, None, STRUCTURES, **RANGE).chosen is None


def test_the_same_structure_of_another_element_is_told_by_its_cell():
    choice = choose_candidate(R, simulate(NI, R, QMAX), None, [COPPER, *STRUCTURES], **RANGE)
    assert choice.chosen.name == "Ni"
    assert [each.name for each in choice.alternatives] == ["Cu"]
    assert choice.alternatives[0].strain == pytest.approx(1 - 3.524 / 3.615, abs=1e-4)
    alone = choose_candidate(R, simulate(NI, R, QMAX), None, [COPPER], **RANGE)
    assert "had to change by 2.5 %" in alone.sentence


def test_elements_that_the_sample_does_not_have_leave_candidates_out():
    g = simulate(NI, R, QMAX)
    choice = choose_candidate(R, g, None, [COPPER, STRUCTURES[0]], elements={"Cu", "O"}, **RANGE)
    assert choice.chosen.name == "Cu"
    assert choice.ranking[1].reason == "it holds Ni, which the sample does not."
    with pytest.raises(DataError, match="None of the candidates could be fitted: Ni: it holds Ni"):
        choose_candidate(R, g, None, STRUCTURES[:1], elements={"O"}, **RANGE)


def test_a_broken_candidate_is_told_and_the_others_tried(tmp_path):
    path = tmp_path / "broken.cif"
    path.write_text("nothing\n")
    choice = choose_candidate(R, simulate(NI, R, QMAX), None, [path, *STRUCTURES], **RANGE)
    assert choice.chosen.name == "Ni"
    assert "no CIF" in choice.ranking[-1].reason
    with pytest.raises(DataError, match="no candidates"):
        choose_candidate(R, R, None, [], **RANGE)


def test_a_second_phase_is_found():
    near = {"qmax": QMAX, "rmax": 10.0, "mixtures": True}
    three = [STRUCTURES[0], STRUCTURES[2], STRUCTURES[3]]
    choice = choose_candidate(R, mixture(0.3), None, three, **near)
    assert choice.mixture.names == ("Ni", "Fe")
    assert choice.mixture.atoms[1] == pytest.approx(0.3, abs=0.01)
    assert "With Fe as a second phase" in choice.sentence
    pure = choose_candidate(R, simulate(NI, R, QMAX), None, three[::2], **near)
    assert pure.mixture is None


def test_fractions_of_atoms_and_mass():
    both = [STRUCTURES[0], STRUCTURES[1]]
    found = fit_phases(R, mixture(0.4, NI, CSCL), None, both, **RANGE)
    assert found.atoms == pytest.approx([0.6, 0.4], abs=0.003)
    masses = np.array([0.6 * 58.693, 0.4 * (132.905 + 35.45) / 2])
    assert found.mass == pytest.approx(masses / masses.sum(), abs=0.003)
    assert found.atoms_sigma[0] == pytest.approx(found.atoms_sigma[1])
    with pytest.raises(DataError, match="at least two structures"):
        fit_phases(R, R, None, both[:1], **RANGE)


def test_sigma_of_fractions_is_what_repeats_scatter_by():
    rng = np.random.default_rng(6)
    both, g, pulls = [STRUCTURES[0], STRUCTURES[3]], mixture(0.25, delta2=2.0), []
    for each in noise(R, QMAX, 0.3, rng, frames=10):
        found = fit_phases(R, g + each, np.full_like(R, 0.3), both, qmax=QMAX, rmax=10.0)
        pulls.append((found.atoms[1] - 0.25) / found.atoms_sigma[1])
    assert abs(np.mean(pulls)) < 1.1
    assert 0.4 < np.std(pulls) < 1.7


def test_fractions_along_a_series_down_to_nothing():
    shares = [0.5, 0.2, 0.0]
    patterns = np.stack([mixture(share) for share in shares])
    both = [STRUCTURES[0], STRUCTURES[3]]
    found = fit_phases_series(R, patterns, None, both, qmax=QMAX, rmax=10.0)
    assert [each.atoms[1] for each in found] == pytest.approx(shares, abs=0.005)
    assert any("Fe is not seen" in remark for remark in found[-1].remarks)
