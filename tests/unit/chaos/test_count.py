"""The count at the end of a chaos run sees what is lost, twice, half written or left behind."""

from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from catalog import recipes
from tests.chaos.count import count
from tests.chaos.scans import Scan, sha256


@pytest.fixture
def asked(catalog_engine):
    """Answer like a platform, from a catalogue alone."""

    def read(statement):
        with Session(catalog_engine) as session:
            return session.execute(statement).all()

    return SimpleNamespace(read=read, ask=read)


@pytest.fixture
def scan(tmp_path):
    """Bring a scan that the catalogue does not know."""
    path = tmp_path / "raw" / "scan.h5"
    path.parent.mkdir()
    path.write_bytes(b"frames")
    return Scan("a-uid", path, sha256(path))


def test_an_unknown_scan_is_lost(asked, scan):
    found = count(asked, [scan], [], [])
    assert found.lost == ["raw/scan.h5: the catalogue does not know it"]
    assert not found.is_clean()


def test_a_scan_that_is_only_to_be_catalogued_is_lost_too(asked, scan):
    found = count(asked, [], [], [], catalogued=[scan])
    assert found.lost == ["scan.h5: the catalogue does not know it"]


def test_what_lies_on_the_disk_alone_is_half_written(asked, tmp_path):
    root = tmp_path / "processed"
    (root / ".scan.attempt-1.partial").mkdir(parents=True)
    (root / ".scan.attempt-1.partial" / "volume.h5").touch()
    told = "\n".join(count(asked, [], [root], []).half_written)
    assert "volume.h5 is on the disk and not in the catalogue" in told
    assert ".partial was left" in told


def test_a_changed_raw_file_and_a_dataset_that_nobody_brought(
    asked, scan, catalog_engine, owner_engine
):
    scan.path.write_bytes(b"other frames")
    with Session(catalog_engine) as session, session.begin():
        recipes.publish_beamline(
            session,
            id="bl",
            name="bl",
            technique="ct",
            flow=None,
            folders=[scan.path.parent],
            output_template="/out/{scan}",
        )
    with owner_engine.begin() as connection:
        connection.execute(text(DATASET))
    found = count(asked, [scan], [], [])
    assert "raw/scan.h5: its raw file is not what it was" in found.lost
    assert found.duplicated == ["ghost (uid other) was never brought"]


DATASET = (
    "INSERT INTO dataset (id, kind, beamline_id, entry_key, base_key, name, technique, uid, "
    "taken_at) VALUES (gen_random_uuid(), 'raw', 'bl', 'k', 'k', 'ghost', 'ct', 'other', now())"
)
