"""The XAS recipe: every field has a default and a title, and a wrong value is named."""

from typing import Any

import pytest
from pydantic import ValidationError

from flows.xas.recipe import Recipe
from tasks.xas.foils import foil_energies


def test_a_scan_is_reduced_without_a_person() -> None:
    assert Recipe().mode == "auto"
    assert Recipe().standards is None


def test_every_field_has_a_title_for_the_form() -> None:
    schema = Recipe.model_json_schema()
    untitled = [name for name, field in schema["properties"].items() if "title" not in field]
    assert untitled == []
    assert schema["$defs"]["Geometry"]["title"] == "Over-absorption"


def test_every_table_of_the_recipe_has_foils() -> None:
    tables: set[str] = set(Recipe.model_json_schema()["properties"]["foil_table"]["enum"])
    known = {foil.table for foil in foil_energies("Fe", "K")}
    assert tables - {"auto", "none"} == known


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "reflection"),
        ("nnorm", 7),
        ("e0", -1.0),
        ("fit_on", "chi"),
        ("most_standards", 0),
        ("over_absorption", {"angle_in": 45.0}),
    ],
)
def test_a_wrong_value_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        Recipe.model_validate({field: value})


@pytest.mark.parametrize(
    ("low", "high"), [("pre1", "pre2"), ("norm1", "norm2"), ("fit_from", "fit_to")]
)
def test_windows_that_end_before_they_begin_are_refused(low: str, high: str) -> None:
    with pytest.raises(ValidationError, match=f"{low} .* must be below {high}"):
        Recipe.model_validate({low: 10.0, high: -10.0})


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ValidationError, match="standard"):
        Recipe.model_validate({"standard": "iron"})
