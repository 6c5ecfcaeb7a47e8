"""What is known of a sample: who says it first, and capillaries by their names."""

import numpy as np
import pytest

from flows.pdf.recipe import Container, Plate, Recipe
from flows.pdf.sample import container_of, sample_of
from tasks.errors import DataError
from tasks.io.powder import Facts

KNOWN = {"formula": "LaB6", "density": 4.72, "container": "quartz 0.7 mm"}
FACTS = Facts(composition="Ni", density=8.9, container="kapton 1.0 mm")


def test_the_recipe_speaks_first_then_the_catalogue_then_the_data():
    asked = sample_of(Recipe(composition="CeO2"), KNOWN, FACTS)
    assert (asked.formula, asked.density) == ("CeO2", 4.72)
    assert asked.said_by == {"composition": "recipe", "density": "sample", "container": "sample"}
    told = sample_of(Recipe(), {}, FACTS)
    assert (told.formula, told.density, told.container_name) == ("Ni", 8.9, "kapton 1.0 mm")
    assert set(told.said_by.values()) == {"data"}


def test_a_composition_becomes_fractions_of_atoms():
    found = sample_of(Recipe(), KNOWN, Facts()).composition
    assert found is not None
    assert dict(zip(found.elements, found.fractions, strict=True)) == pytest.approx(
        {"B": 6 / 7, "La": 1 / 7}
    )
    assert np.isclose(found.fractions.sum(), 1)


def test_nobody_says_anything():
    found = sample_of(Recipe(), {}, Facts())
    assert (found.composition, found.formula, found.density, found.container) == (
        None,
        "",
        None,
        None,
    )
    assert found.said_by == {}


@pytest.mark.parametrize(
    ("recipe", "known", "facts", "who"),
    [
        (Recipe(composition="Xx2"), {}, Facts(), "the recipe"),
        (Recipe(), {"formula": "nickel"}, Facts(), "the catalogue's sample"),
        (Recipe(), {}, Facts(composition="LaB6(("), "the data"),
    ],
)
def test_a_composition_that_does_not_exist_is_refused_and_whose_it_is(recipe, known, facts, who):
    with pytest.raises(DataError, match=r"does not exist.*" + who):
        sample_of(recipe, known, facts)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("kapton 1.0 mm", ("kapton", 1.0, 0.01)),
        ("quartz capillary 0.7 mm wall 10 µm", ("quartz", 0.7, 0.01)),
        ("SiO2 1 mm, wall 0.02 mm", ("SiO2", 1.0, 0.02)),
        ("kapton", None),
        ("1 mm", None),
        ("", None),
    ],
)
def test_a_capillary_is_told_by_its_name(name, found):
    container = container_of(name)
    if found is None:
        assert container is None
        return
    assert container is not None
    assert (container.material, container.diameter_mm, container.wall_mm) == pytest.approx(found)


@pytest.mark.parametrize(
    ("name", "thickness", "material", "window"),
    [
        ("kapton plate 1.0 mm window 25 um", 1.0, "kapton", 0.025),
        ("plate 0.3 mm", 0.3, "kapton", 0.0),
    ],
)
def test_a_plate_is_told_by_its_name(name, thickness, material, window):
    plate = container_of(name)
    assert plate == Plate(thickness_mm=thickness, material=material, window_mm=window)


def test_the_recipe_has_the_last_word_about_the_container():
    own = Container(material="kapton", diameter_mm=0.5)
    found = sample_of(Recipe(container=own), KNOWN, FACTS)
    assert found.container == own
    assert found.said_by["container"] == "recipe"
