"""The settings file that comes with the project is one that works."""

from pathlib import Path

from infra.settings import load_settings

ROOT = Path(__file__).parents[3]


def test_the_example_is_accepted():
    (beamline,) = load_settings(ROOT / "dayseye.toml").beamlines
    assert beamline.id == "bl07"
    assert beamline.folders == (ROOT / "incoming/bl07",)
