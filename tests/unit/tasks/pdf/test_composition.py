import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.composition import parse


@pytest.mark.parametrize(
    ("formula", "atoms"),
    [
        ("LaB6", {"B": 6, "La": 1}),
        ("La B6", {"B": 6, "La": 1}),
        ("Ni0.8Fe0.2", {"Fe": 0.2, "Ni": 0.8}),
        ("(SiO2)0.7(Na2O)0.3", {"O": 1.7, "Na": 0.6, "Si": 0.7}),
        ("0.7 SiO2 + 0.3 Na2O", {"O": 1.7, "Na": 0.6, "Si": 0.7}),
        ("CuSO4·5H2O", {"H": 10, "O": 9, "S": 1, "Cu": 1}),
        ("D2O", {"H": 2, "O": 1}),
        ("50Ni", {"Ni": 1}),
    ],
)
def test_formulas_and_mixtures_become_fractions(formula, atoms):
    found = parse(formula)
    assert found.elements == tuple(atoms)
    total = sum(atoms.values())
    np.testing.assert_allclose(found.fractions, [count / total for count in atoms.values()])


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("", "does not exist"),
        ("Xx2O3", "does not exist"),
        ("ni", "does not exist"),
        ("Ca2+", "does not exist"),
        ("Ni-1", "does not exist"),
        ("LaB6)", "does not exist"),
        ("0Ni", "holds no atoms"),
        ("EsO2", "no form factors"),
    ],
)
def test_what_does_not_exist_is_refused(formula, says):
    with pytest.raises(DataError, match=says):
        parse(formula)


def test_density_becomes_atoms_per_volume():
    lanthanum_hexaboride = parse("LaB6").number_density(4.711)
    assert lanthanum_hexaboride == pytest.approx(7 / 4.1569**3, rel=1e-3)
    assert parse("Ni").number_density(8.908) == pytest.approx(4 / 3.524**3, rel=2e-3)
    assert parse("H2O").mass_fractions == pytest.approx([0.1119, 0.8881], abs=1e-4)
