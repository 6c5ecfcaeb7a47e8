from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.models import Beamline as Row
from flows.registry import FLOWS
from infra.flow_choice import check_flows, published_rules
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
