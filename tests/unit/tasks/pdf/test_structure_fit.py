import contextlib
import io

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.crystal import read_structure
from tasks.pdf.structure_fit import fit_series, fit_structure
from tests.unit.tasks.pdf.crystal_truth import CSCL, FE, NI, cif, noise, simulate

QMAX = 25.0
R = np.arange(1, 1601) * 0.01
RANGE = {"qmax": QMAX, "rmax": 15.0}
HEXAGONAL = """data_Mg
_cell_length_a 3.2094
_cell_length_b 3.2094
_cell_length_c 5.2105
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_space_group_name_H-M_alt 'P 63/m m c'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Mg1 Mg2+ 0.3333 0.6667 0.25 1.0
"""


def test_the_truth_is_found_from_a_cell_that_is_off():
    g = simulate(NI, R, QMAX, u=0.006, delta2=2.0, qdamp=0.04)
    refine = ("cell", "thermal", "scale", "delta2", "qdamp")
    for start in (3.40, 3.60):
        fit = fit_structure(R, 0.7 * g, None, cif(NI, start), refine=refine, **RANGE)
        assert fit.parameters["a"] == pytest.approx(3.5240, abs=2e-5)
        assert fit.parameters["U_Ni"] == pytest.approx(0.006, rel=2e-3)
        assert fit.parameters["delta2"] == pytest.approx(2.0, rel=0.02)
        assert fit.parameters["qdamp"] == pytest.approx(0.04, rel=0.01)
        assert fit.parameters["scale"] == pytest.approx(0.7, rel=2e-3)
        assert fit.rw < 0.005
        assert fit.good
        assert not fit.remarks
        assert fit.chi2 is None
        assert np.allclose(fit.difference, fit.observed - fit.calculated)
        assert fit.r[0] == pytest.approx(1.5)
        assert len(fit.r) == len(fit.observed) == 1351


def test_two_elements_have_their_own_displacements():
    g = simulate(CSCL, R, QMAX, u=[0.012, 0.02])
    fit = fit_structure(R, g, None, cif(CSCL), **RANGE)
    assert list(fit.parameters) == ["a", "U_Cs", "U_Cl", "scale", "delta2"]
    assert fit.parameters["U_Cs"] == pytest.approx(0.012, rel=2e-3)
    assert fit.parameters["U_Cl"] == pytest.approx(0.02, rel=2e-3)
    assert fit.at_bound == ("delta2",)
    assert "delta2 ended at its bound" in fit.remarks[0]
    assert fit.scattering == (36.0,)


def test_sigma_is_what_repeats_scatter_by():
    rng = np.random.default_rng(4)
    g = simulate(NI, R, QMAX, delta2=2.0, qdamp=0.04)
    sigma = np.full_like(R, 0.3)
    truth = {"a": 3.524, "U_Ni": 0.006, "scale": 1.0, "delta2": 2.0}
    crystal, pulls = read_structure(cif(NI)), []
    for each in noise(R, QMAX, 0.3, rng, frames=25):
        fit = fit_structure(R, g + each, sigma, crystal, qdamp=0.04, **RANGE)
        pulls.append([(fit.parameters[name] - truth[name]) / fit.sigma[name] for name in truth])
        assert 0.4 < fit.chi2 < 1.7
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.6)
    assert np.all((np.std(pulls, axis=0) > 0.65) & (np.std(pulls, axis=0) < 1.35))


def test_a_structure_that_does_not_belong_fits_badly_and_says_so():
    g = simulate(NI, R, QMAX, delta2=2.0)
    fit = fit_structure(R, g, np.full_like(R, 0.1), cif(FE), **RANGE)
    assert fit.rw > 0.6
    assert fit.chi2 > 100
    assert fit.sigma["a"] > 1e-3  # grown by the misfit


def test_small_particles_show_their_diameter():
    envelope = np.where(R < 30, 1 - 1.5 * (R / 30) + 0.5 * (R / 30) ** 3, 0)
    g = simulate(NI, R, QMAX) * envelope
    refine = ("cell", "thermal", "scale", "spdiameter")
    fit = fit_structure(R, g, None, cif(NI), refine=refine, **RANGE)
    assert fit.parameters["spdiameter"] == pytest.approx(30, rel=0.02)
    fit = fit_structure(R, simulate(NI, R, QMAX), None, cif(NI), refine=refine, **RANGE)
    assert fit.at_bound == ("spdiameter",)


def test_the_tensor_of_a_cubic_site_is_one_number_and_of_a_hexagonal_one_two():
    g = simulate(NI, R, QMAX)
    fit = fit_structure(R, g, None, cif(NI), thermal="anisotropic", **RANGE)
    assert fit.parameters["U11_Ni1"] == pytest.approx(0.006, rel=5e-3)
    crystal = read_structure(HEXAGONAL)
    assert crystal.free_cell == ((0, 1), (2,))
    fit = fit_structure(R, g, None, crystal, thermal="anisotropic", **RANGE)
    assert set(fit.parameters) == {"a", "c", "U11_Mg1", "U33_Mg1", "scale", "delta2"}


def test_a_series_is_followed():
    cells = np.linspace(3.50, 3.56, 5)
    patterns = np.stack([simulate(NI, R, QMAX, a=a, delta2=2.0) for a in cells])
    numbers = []
    fits = fit_series(R, patterns, None, cif(NI), done=numbers.append, **RANGE)
    assert [fit.parameters["a"] for fit in fits] == pytest.approx(cells, abs=3e-5)
    assert numbers == list(range(5))


def test_a_series_recovers_after_a_pattern_that_is_none():
    rng = np.random.default_rng(2)
    good = simulate(NI, R, QMAX, delta2=2.0)
    patterns = np.stack([good, noise(R, QMAX, 1.0, rng)[0], good])
    fits = fit_series(R, patterns, None, cif(NI), **RANGE)
    assert fits[1].rw > 0.8
    assert fits[2].rw < 0.005


def test_nothing_is_printed(capfd):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        fit_structure(R, simulate(NI, R, QMAX), None, cif(NI), **RANGE)
    assert printed.getvalue() == ""
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rmax": 1.6}, "too few for a fit"),
        ({"rmax": 2.2}, "4 parameters are too many for 0.7 Å"),
    ],
)
def test_ranges_that_hold_too_little_are_refused(change, sentence):
    with pytest.raises(DataError, match=sentence):
        fit_structure(R, simulate(NI, R, QMAX), None, cif(NI), **(RANGE | change))


def test_curves_that_are_none_are_refused():
    g = simulate(NI, R, QMAX)
    with pytest.raises(DataError, match="not a number somewhere between"):
        fit_structure(R, np.where(R > 8, np.nan, g), None, cif(NI), **RANGE)
    with pytest.raises(DataError, match="its sigma is zero"):
        fit_structure(R, g, np.zeros_like(R), cif(NI), **RANGE)
    with pytest.raises(DataError, match="not equidistant"):
        fit_structure(R**1.1, g, None, cif(NI), **RANGE)
