"""The recipes: defaults, what is refused, what the forms say; where models come from."""

import json

import pytest
from pydantic import ValidationError

from flows.mx.recipe import Recipe
from flows.mx.series.recipe import Recipe as SeriesRecipe
from flows.mx.size import output_bytes
from flows.mx.structure import COMMAND, HOURS, PREDICTIONS, model_source
from flows.mx.types import Known
from tasks.errors import DataError


@pytest.mark.parametrize("recipe", [Recipe, SeriesRecipe])
def test_every_field_has_a_title_and_a_description_for_the_form(recipe):
    schema = recipe.model_json_schema()
    fields = dict(schema["properties"])
    for part in schema.get("$defs", {}).values():
        fields |= part["properties"]
    assert [
        name for name, each in fields.items() if not {"title", "description"} <= set(each)
    ] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cell", {"a": 10}),
        ("cell", {"a": 10, "b": 10, "c": 10, "gamma": 180}),
        ("program", "xds"),
        ("cc_half", 1.0),
        ("resolution", 0.0),
        ("no_such", 1),
    ],
)
def test_what_makes_no_sense_is_refused(field, value):
    with pytest.raises(ValidationError):
        Recipe(**{field: value})


def test_the_last_image_comes_after_the_first():
    with pytest.raises(ValidationError, match=r"last image \(3\) comes before the first \(7\)"):
        Recipe(first_image=7, last_image=3)


def test_a_longer_sweep_takes_more_room():
    short, long = (
        output_bytes("", {"images": images, "oscillation_deg": 0.1}, {}) for images in (100, 3600)
    )
    assert 30e6 < short < 45e6 < long < 1e9
    assert output_bytes("", {}, {}) == long


def test_a_model_comes_from_the_recipe_first(tmp_path, monkeypatch):
    (tmp_path / "a.pdb").write_text("")
    (tmp_path / "models").mkdir()
    monkeypatch.setenv(PREDICTIONS, "/site/predictions")
    monkeypatch.setenv(COMMAND, json.dumps(["predict", "{fasta}", "{output}"]))
    monkeypatch.setenv(HOURS, "2")
    known = Known(sequence="MKV")
    source = model_source(Recipe(model="a.pdb"), known, [tmp_path])
    assert source.file == tmp_path / "a.pdb"
    by_id = model_source(Recipe(model="p00698", predictions="models"), known, [tmp_path])
    assert (by_id.file, by_id.uniprot, by_id.folder) == (None, "P00698", tmp_path / "models")
    site = model_source(Recipe(), known, [tmp_path])
    assert (str(site.folder), site.command[0], site.timeout) == (
        "/site/predictions",
        "predict",
        7200,
    )
    assert site.given
    assert not model_source(Recipe(), Known(), []).given


@pytest.mark.parametrize("given", ["../a.pdb", "/etc/passwd", "no.pdb"])
def test_a_model_outside_the_beamlines_folders_is_refused(tmp_path, given):
    folder = tmp_path / "raw"
    folder.mkdir()
    (tmp_path / "a.pdb").write_text("")
    with pytest.raises(DataError, match="not in the beamline's folders"):
        model_source(Recipe(model=given), Known(), [folder])
