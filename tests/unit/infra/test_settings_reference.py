"""The reference names every key that the settings and the recipes have."""

from pathlib import Path

import pytest

from flows.ct.recipe import Recipe
from infra.settings import Cluster, Runs, Services
from triggers.beamline import Beamline

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "model"),
    [
        ("settings.md", Services),
        ("settings.md", Cluster),
        ("settings.md", Runs),
        ("settings.md", Beamline),
        ("ct.md", Recipe),
    ],
)
def test_every_key_stands_in_the_reference(page, model):
    text = (REFERENCE / page).read_text()
    assert [name for name in model.model_fields if f"`{name}`" not in text] == []
