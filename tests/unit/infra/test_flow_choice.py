from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.errors import InvalidParameters
from catalog.models import Beamline as Row
from flows.registry import FLOWS
from infra.flow_choice import (
    check_flows,
    published_calibrations,
    published_rules,
    series_flow_of,
)
from infra.prepare_catalogue import publish
from infra.settings import ConfigurationError
from triggers.beamline import Beamline


def beamline(*rules: dict, **changes) -> Beamline:
    values = {"id": "bl07", "folders": [Path("/data/raw")], "output": "/data/out/{scan}"}
    return Beamline(**{**values, "rules": rules, **changes})


def test_what_is_published():
    rules = [
        {"name": "scratch", "match": ["tmp/**"], "ignore": True},
        {"name": "quick", "match": ["quick/**"], "recipe": {"stripe_removal": "none"}},
        {"name": "photos", "match": ["photos/**"], "technique": "photo", "flow": "none"},
        {"name": "tomo", "match": ["tomo/**"], "technique": "ct", "batch": {"count": 4}},
    ]
    quick, photos, tomo = published_rules(beamline(*rules))
    assert (quick["name"], quick["flow"]) == ("quick", "ct-reduction")
    assert quick["recipe"] == {"stripe_removal": "none"}
    assert (photos["technique"], photos["flow"], photos["batch"]) == ("photo", None, None)
    assert tomo["batch"] == {"count": 4, "seconds": 5.0}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"technique": "ctt"}, "rules.a.technique: no flow reduces 'ctt'; there are: ct"),
        ({"flow": "ct"}, "rules.a.flow: there is no flow 'ct'; there are: ct-reduction"),
    ],
)
def test_mistakes(rule, words):
    with pytest.raises(ConfigurationError) as error:
        check_flows([beamline({"name": "a", "match": ["**"], **rule})])
    assert words in str(error.value)


@pytest.fixture
def with_series(monkeypatch):
    """Let CT have a flow that reduces results together."""
    both = replace(FLOWS["ct"], name="ct-series")
    monkeypatch.setitem(FLOWS, "ct-series", both)
    monkeypatch.setitem(FLOWS, "ct", replace(FLOWS["ct"], series="ct-series"))


def test_series_have_the_flow_that_belongs_to_the_flow_of_their_scans(with_series):
    rules = [
        {"name": "quick", "match": ["q/**"], "series_recipe": {"stripe_removal": "none"}},
        {"name": "single", "match": ["s/**"], "series": "none"},
        {"name": "photos", "match": ["p/**"], "flow": "none"},
    ]
    described = beamline(*rules, series="folder")
    check_flows([described])
    assert series_flow_of(described) == "ct-series"
    assert [each["series_flow"] for each in published_rules(described)] == ["ct-series", None, None]
    assert published_rules(described)[0]["series_recipe"] == {"stripe_removal": "none"}
    assert series_flow_of(beamline()) is None, "nothing is declared, and CT has no usual series"
    for of_scans in ({"technique": "ct-series"}, {"flow": "ct-series"}):
        with pytest.raises(ConfigurationError, match="there"):
            check_flows([beamline({"name": "a", "match": ["**"], **of_scans})])


@pytest.mark.parametrize("of_rule", [True, False])
def test_a_series_that_no_flow_reduces_is_a_mistake(of_rule):
    rule = {"name": "a", "match": ["**"], **({"series": "file"} if of_rule else {})}
    described = beamline(rule, **({} if of_rule else {"series": "file"}))
    where = "bl07.rules.a.series" if of_rule else "bl07.series"
    with pytest.raises(ConfigurationError, match=f"{where}: no flow reduces the results of 'ct-"):
        check_flows([described])


def test_the_recipe_of_a_series_is_checked_and_merged(catalog_engine, with_series):
    described = beamline(
        {"name": "quick", "match": ["q/**"], "series_recipe": {"stripe_removal": "none"}},
        series="file",
        recipe={"stripe_removal": "none"},
        series_recipe={"rotation_axis": 7.0},
    )
    with Session(catalog_engine) as session, session.begin():
        for flow in FLOWS.values():
            schema = flow.recipe.model_json_schema()
            recipes.publish_flow(session, flow.name, flow.technique, flow.version, schema)
        publish(session, described)
        of_series = recipes.effective_parameters(session, "bl07", {}, "quick", series=True)
        assert (of_series["rotation_axis"], of_series["stripe_removal"]) == (7.0, "none")
        of_series = recipes.effective_parameters(session, "bl07", {}, series=True)
        assert of_series["stripe_removal"] != "none", "the recipe of scans is theirs alone"
        with pytest.raises(InvalidParameters, match="series_recipe: 'axis' is not a parameter"):
            publish(session, described.model_copy(update={"series_recipe": {"axis": 1}}))


@pytest.fixture
def with_calibrating(monkeypatch):
    """Let CT have a flow that reduces images of calibrants."""
    monkeypatch.setitem(
        FLOWS, "calibrating", replace(FLOWS["ct"], name="calibrate", calibrates="calibrant")
    )


def test_calibrations_have_the_flow_of_their_kind(with_calibrating):
    rules = [
        {"name": "ceria", "match": ["c/**"], "calibration": "calibrant", "recipe": {"padding": 1}},
        {"name": "air", "match": ["air/**"], "calibration": "empty"},
        {"name": "kept", "match": ["k/**"], "calibration": "calibrant", "flow": "none"},
        {"name": "scans", "match": ["s/**"]},
    ]
    about = {"calibrant": {"recipe": {"rotation_axis": 2}}, "mask": {"wait": False}}
    described = beamline(*rules, calibrations=about)
    check_flows([described])
    published = published_rules(described)
    assert [each["flow"] for each in published] == ["calibrate", None, None, "ct-reduction"]
    assert [each["calibration"] for each in published] == ["calibrant", "empty", "calibrant", None]
    assert published_calibrations(described) == {
        "calibrant": {"recipe": {"rotation_axis": 2}, "flow": "calibrate"},
        "mask": {"wait": False},
    }
    spectra = beamline(technique="xas")
    assert published_calibrations(spectra) == {}, "another technique's flow is not meant"


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (
            {"calibration": "empty", "recipe": {"a": 1}},
            r"a\.recipe: calibrations of kind 'empty'",
        ),
        ({"calibration": "calibrant", "flow": "ct-reduction"}, "a.flow: 'ct-reduction' does not"),
    ],
)
def test_mistakes_about_calibrations(with_calibrating, about, words):
    with pytest.raises(ConfigurationError, match=words):
        check_flows([beamline({"name": "a", "match": ["**"], **about})])


def test_a_recipe_for_calibrations_that_no_flow_reduces():
    described = beamline(calibrations={"empty": {"recipe": {"a": 1}}})
    with pytest.raises(ConfigurationError, match=r"empty\.recipe: no flow of this beam"):
        check_flows([described])


def test_into_the_catalogue(catalog_engine):
    described = beamline(
        {"name": "quick", "match": ["q/**"], "recipe": {"stripe_removal": "none"}},
        {"name": "photos", "match": ["p/**"], "flow": "none"},
        calibrations={"flat": {"choose": "before", "max_age_hours": 2}},
        purge={"derived_after_days": 30},
        output_mode="0750",
    )
    flow = FLOWS["ct"]
    with Session(catalog_engine) as session, session.begin():
        schema = flow.recipe.model_json_schema()
        recipes.publish_flow(session, flow.name, flow.technique, flow.version, schema)
        publish(session, described)
        row = session.get_one(Row, "bl07", populate_existing=True)
        assert row.calibration_rules == {"flat": {"choose": "before", "max_age_hours": 2.0}}
        assert (row.purge_derived_after.days, row.purge_raw_after) == (30, None)
        assert (row.output_mode, row.triggers) == ("0750", ["files", "http"])
        assert (
            recipes.effective_parameters(session, "bl07", {}, "quick")["stripe_removal"] == "none"
        )
        assert recipes.flow_name(row, "photos") is None
        assert recipes.flow_name(row, "a rule that is gone") == flow.name
