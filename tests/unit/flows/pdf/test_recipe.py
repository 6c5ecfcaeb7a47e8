"""The PDF recipe: every field has a default and a title, and a wrong value is named."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from flows.pdf.recipe import AxisUnit, Recipe
from tasks.io import powder
from tasks.pdf.fourier import WINDOWS


def test_a_scan_is_reduced_without_a_person() -> None:
    recipe = Recipe()
    assert recipe.modes == ["compatible", "absolute"]
    assert (recipe.composition, recipe.qmax, recipe.structures) == (None, None, [])


def test_every_field_has_a_title_and_a_description_for_the_form() -> None:
    schema = Recipe.model_json_schema()
    fields = dict(schema["properties"])
    for shape in ("Container", "Plate"):
        fields |= schema["$defs"][shape]["properties"]
    bare = [name for name, each in fields.items() if not {"title", "description"} <= set(each)]
    assert bare == []
    assert schema["$defs"]["Container"]["title"] == "Container"


def test_what_the_recipe_offers_is_what_the_algorithms_know() -> None:
    fields = Recipe.model_json_schema()["properties"]
    assert set(fields["window"]["enum"]) == set(WINDOWS)
    assert set(get_args(AxisUnit)) == set(get_args(powder.Unit))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("axis_unit", "degrees"),
        ("wavelength", 0.0),
        ("orientation", 5),
        ("bins", 3),
        ("polarisation", 1.5),
        ("background_scale", -1.0),
        ("modes", []),
        ("modes", ["perfect"]),
        ("window", "boxcar"),
        ("container", {"material": "kapton"}),
    ],
)
def test_a_wrong_value_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        Recipe.model_validate({field: value})


@pytest.mark.parametrize(
    ("low", "high"), [("qmin", "qmax"), ("r_min", "r_max"), ("fit_from", "fit_to")]
)
def test_ranges_that_end_before_they_begin_are_refused(low: str, high: str) -> None:
    with pytest.raises(ValidationError, match=f"{low} .* must be below {high}"):
        Recipe.model_validate({low: 10.0, high: 5.0})


def test_the_transform_ends_within_the_pattern() -> None:
    with pytest.raises(ValidationError, match=r"qmax \(24\) must not be above qmaxinst \(23\)"):
        Recipe(qmax=24, qmaxinst=23)


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ValidationError, match="compostion"):
        Recipe.model_validate({"compostion": "Ni"})
