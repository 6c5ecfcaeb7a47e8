"""The reference names every key that the settings and the recipes have."""

from pathlib import Path

import pytest

from flows.ct.recipe import Recipe
from infra.sections import Access, Archive, Cluster, Notifications, Runs, Services
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


SETTINGS = [Access, Archive, Cluster, Notifications, Runs, Services, Beamline, Batch]
SETTINGS += [BlueskyTrigger, CalibrationRule, EpicsTrigger, KafkaTrigger, Purge, Rule, Triggers]


@pytest.mark.parametrize(
    ("page", "model"), [("settings.md", each) for each in SETTINGS] + [("ct.md", Recipe)]
)
def test_every_key_stands_in_the_reference(page, model):
    text = (REFERENCE / page).read_text()
    assert [name for name in model.model_fields if f"`{name}`" not in text] == []
