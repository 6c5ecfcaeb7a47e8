"""Edge energies of foils, and whose they are."""

import pytest

from tasks.errors import DataError
from tasks.xas.foils import foil_energies, foil_energy


def test_iron_by_whose_table():
    assert foil_energy("Fe", "K").energy == 7110.75
    assert foil_energy("Fe", "K", "bearden").energy == 7112.0
    assert "Kraft" in foil_energy("Fe", "K").source


@pytest.mark.parametrize(
    ("element", "edge"),
    [("Fe", "K"), ("Cu", "K"), ("Mo", "K"), ("Pt", "L3"), ("Au", "L3"), ("Ag", "K"), ("W", "L3")],
)
def test_tables_agree_within_what_is_known_of_them(element, edge):
    energies = [each.energy for each in foil_energies(element, edge)]
    assert energies
    assert max(energies) - min(energies) < 3.1


def test_every_value_of_the_tables_is_near_the_one_of_elam():
    for element in (
        "Ti",
        "V",
        "Cr",
        "Mn",
        "Co",
        "Cu",
        "Zr",
        "Nb",
        "Mo",
        "Rh",
        "Pd",
        "Ag",
        "Cd",
        "Sn",
        "Sb",
    ):
        for each in foil_energies(element, "K"):
            assert abs(each.energy - foil_energy(element, "K", "elam").energy) < 3.1, each


def test_a_table_without_the_foil_names_those_that_have_it():
    with pytest.raises(DataError, match=r"25514.00 eV \(bearden\)"):
        foil_energy("Ag", "K", "kraft")


@pytest.mark.parametrize(("element", "edge"), [("Xx", "K"), ("Fe", "Q")])
def test_no_such_edge(element, edge):
    assert foil_energies(element, edge) == ()
    with pytest.raises(DataError, match="check the names"):
        foil_energy(element, edge)
