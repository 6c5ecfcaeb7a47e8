"""The CT recipe: every field has a default, and a wrong value is named."""

import pytest
from pydantic import ValidationError

from flows.ct.recipe import Recipe
from flows.registry import FLOWS
from tasks.ct.filters import WINDOWS


def test_a_scan_is_reduced_without_a_person() -> None:
    assert Recipe().rotation_axis is None


def test_every_filter_of_the_recipe_exists() -> None:
    schema = Recipe.model_json_schema()
    assert set(schema["properties"]["filter"]["enum"]) == set(WINDOWS)


@pytest.mark.parametrize(
    ("field", "value"),
    [("filter", "sharp"), ("axis_rows", 0), ("pixel_size_um", -1.0), ("output_type", "int8")],
)
def test_a_wrong_value_is_named(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        Recipe.model_validate({field: value})


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ValidationError, match="rotation_axes"):
        Recipe.model_validate({"rotation_axes": 3})


def test_every_flow_names_a_function_that_exists() -> None:
    import importlib

    for entry in FLOWS.values():
        module, _, function = entry.entrypoint.partition(":")
        assert getattr(importlib.import_module(module), function).name == entry.name
