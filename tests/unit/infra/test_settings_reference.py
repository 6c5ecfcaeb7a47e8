"""The reference names every key that the settings and the recipes have."""

from pathlib import Path

import pytest

from flows.ct import verdict as ct
from flows.ct.recipe import Recipe
from flows.mx import verdict as mx
from flows.mx.recipe import Recipe as MXRecipe
from flows.mx.series import verdict as mx_series
from flows.mx.series.recipe import Recipe as MXSeriesRecipe
from flows.pdf.calibration import verdict as pdf_calibration
from flows.pdf.calibration.recipe import Recipe as PDFCalibrationRecipe
from flows.pdf.calibration.recipe import Start
from flows.xas import verdict as xas
from flows.xas.recipe import Geometry
from flows.xas.recipe import Recipe as XASRecipe
from flows.xas.series import verdict as xas_series
from flows.xas.series.recipe import Recipe as XASSeriesRecipe
from infra.sections import (
    Access,
    Archive,
    Cluster,
    Notifications,
    Prediction,
    Runs,
    Services,
)
from triggers.beamline import Beamline
from triggers.rules import (
    Batch,
    BlueskyTrigger,
    CalibrationRule,
    EpicsTrigger,
    KafkaTrigger,
    Purge,
    Rule,
    Triggers,
)

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


SETTINGS = [Access, Archive, Cluster, Notifications, Prediction, Runs, Services, Beamline, Batch]
SETTINGS += [BlueskyTrigger, CalibrationRule, EpicsTrigger, KafkaTrigger, Purge, Rule, Triggers]


@pytest.mark.parametrize(
    ("page", "model"),
    [
        *(("settings.md", each) for each in SETTINGS),
        ("ct.md", Recipe),
        *(("pdf-calibration.md", each) for each in (PDFCalibrationRecipe, Start)),
        *(("mx.md", each) for each in (MXRecipe, MXSeriesRecipe)),
        *(("xas.md", each) for each in (XASRecipe, XASSeriesRecipe)),
    ],
)
def test_every_key_stands_in_the_reference(page, model):
    text = (REFERENCE / page).read_text()
    assert [name for name in model.model_fields if f"`{name}`" not in text] == []


def test_the_parts_of_a_parameter_stand_in_the_reference():
    text = (REFERENCE / "xas.md").read_text()
    assert [name for name in Geometry.model_fields if f"{name} =" not in text] == []


@pytest.mark.parametrize(
    ("page", "verdict"),
    [
        ("ct.md", ct),
        ("mx.md", mx),
        ("mx.md", mx_series),
        ("pdf-calibration.md", pdf_calibration),
        ("xas.md", xas),
        ("xas.md", xas_series),
    ],
)
def test_every_rule_of_a_verdict_stands_in_the_reference_with_its_version(page, verdict):
    text = (REFERENCE / page).read_text()
    assert f"`{verdict.VERSION}`" in text
    assert [rule.name for rule in verdict.RULES if f"`{rule.name}`" not in text] == []
