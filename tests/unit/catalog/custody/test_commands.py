"""The commands, through the command line's own way, on a real catalogue and real files."""

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from catalog.errors import CatalogError
from infra.cli import app


@pytest.fixture
def dayseye(house, catalog_dsn, owner_dsn, tmp_path):
    settings = tmp_path / "dayseye.toml"
    (tmp_path / "state").mkdir()
    settings.write_text(
        f"""
        state = "state"
        [services]
        dsn = "{owner_dsn}"
        application_dsn = "{catalog_dsn}"
        prefect_dsn = "postgresql+asyncpg://nobody@127.0.0.1:1/prefect"
        [archive]
        place = "copies"
        retention_days = 365
        """
    )

    def run(*words, status=0):
        done = CliRunner().invoke(app, ["--settings", str(settings), *words])
        if isinstance(done.exception, CatalogError):
            return str(done.exception)
        assert done.exit_code == status, done.output
        return done.output

    return run


def of_json(text):
    return json.loads(text[text.index("[") :])


def test_a_dataset_is_archived_verified_and_purged(house, dayseye):
    house.may_purge(derived=timedelta())
    scan = house.land("tooth", b"x" * 4000)
    result = str(house.reduce(scan))
    (copied,) = of_json(dayseye("archive", "tooth", "--json"))
    assert (copied["state"], copied["bytes"]) == ("verified", 4000)
    assert {
        e["copied"] for e in of_json(dayseye("archive", "--beamline", "imaging", "--json"))
    } == {2}
    assert "0 damaged" in dayseye("verify", "--all")
    assert "for ever" not in dayseye("copies", result)
    told = dayseye("purge")
    assert "1 datasets would free 17 B. Nothing was removed: --yes does it." in told
    assert list(house.processed.rglob("volume.h5"))
    dayseye("hold", result, "--reason", "the thesis")
    dayseye("purge", result, "--yes", status=1)
    dayseye("release", result)
    assert "2" in dayseye("purge", "--yes")
    assert not list(house.processed.rglob("volume.h5"))
    assert "Purged at" in dayseye("copies", result)
    assert "0 damaged" in dayseye("verify", result)


def test_rot_ends_with_status_1_and_names_the_file(house, dayseye, rot):
    house.land("tooth")
    dayseye("archive", "tooth")
    rot(next(house.copies.rglob("*.h5")))
    (found,) = of_json(dayseye("verify", "tooth", "--json", status=1))
    assert found["findings"][0]["path"].endswith("tooth.h5")


def test_choose_datasets_or_many(dayseye, house):
    house.land("tooth")
    assert "one of the two" in dayseye("archive")
    assert "one of the two" in dayseye("verify", "tooth", "--all")


def test_a_day_limits_what_is_copied(dayseye, house):
    house.land("tooth")
    assert (
        of_json(dayseye("archive", "--beamline", "imaging", "--before", "2020-01-01", "--json"))
        == []
    )
    assert len(of_json(dayseye("archive", "--beamline", "imaging", "--json"))) == 1


def test_messages_are_listed(dayseye, house, rot):
    house.land("tooth")
    dayseye("archive", "tooth")
    rot(next(house.copies.rglob("*.h5")))
    dayseye("verify", "tooth", status=1)
    (message,) = of_json(dayseye("notifications", "list", "--json"))
    assert message["kind"] == "alarm" and "is damaged" in message["message"]
    assert message["sent_at"] is None
