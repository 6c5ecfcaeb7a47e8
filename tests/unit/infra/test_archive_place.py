"""Where copies go: a relative folder starts at the settings file, and is never a watched one."""

import pytest

from infra.settings import ConfigurationError, load_settings

SETTINGS = """
[archive]
place = "{place}"
[[beamlines]]
id = "bl07"
folders = ["incoming"]
output = "processed/{{scan}}"
"""


def place_of(tmp_path, place):
    file = tmp_path / "dayseye.toml"
    file.write_text(SETTINGS.format(place=place))
    return load_settings(file).archive.place


def test_a_relative_folder_starts_at_the_settings_file(tmp_path):
    assert place_of(tmp_path, "copies") == str(tmp_path / "copies")
    assert place_of(tmp_path, "/archive") == "/archive"
    assert place_of(tmp_path, "s3://bucket/prefix") == "s3://bucket/prefix"


def test_copies_may_not_become_scans(tmp_path):
    with pytest.raises(ConfigurationError, match="watched for beamline bl07"):
        place_of(tmp_path, "incoming/copies")
