"""Copies: read back, compared, resumed, mended; and never of what cannot be trusted."""

import hashlib
import os
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.custody import Place, archive, digest_some
from catalog.custody.guard import alone
from catalog.errors import CatalogError
from catalog.models import DatasetFile, Replica, ReplicaFile


def rows(house, model):
    with Session(house.engine, expire_on_commit=False) as session:
        return session.scalars(select(model).order_by(model.id)).all()


def test_a_copy_is_made_and_recorded(house):
    scan = house.land("tooth", b"0123456789" * 1000)
    done = archive(house.engine, scan, house.place, actor="me", retention=timedelta(days=10))
    assert (done.state, done.files, done.bytes, done.copied) == ("verified", 1, 10_000, 1)
    (copy,) = rows(house, ReplicaFile)
    assert (house.copies / copy.path).read_bytes() == b"0123456789" * 1000
    assert copy.digest == hashlib.sha256(b"0123456789" * 1000).hexdigest()
    (replica,) = rows(house, Replica)
    assert replica.verified_at is not None
    assert replica.retention_until - replica.created_at > timedelta(days=9)
    (original,) = rows(house, DatasetFile)
    assert original.digest == copy.digest
    assert house.events(scan)[-1] == "archived"


def test_a_second_time_copies_nothing(house):
    scan = house.land("tooth")
    archive(house.engine, scan, house.place, actor="me")
    again = archive(house.engine, scan, house.place, actor="me")
    assert (again.state, again.copied) == ("verified", 0)
    assert house.events(scan).count("archived") == 1


def test_a_series_is_one_file_row_and_many_copies(house):
    scan = house.land_series("sweep", 7)
    done = archive(house.engine, scan, house.place, actor="me")
    assert (done.files, done.copied) == (7, 7)
    (row,) = rows(house, DatasetFile)
    assert row.digest_algorithm == "sha256-manifest"
    assert {each.file_id for each in rows(house, ReplicaFile)} == {row.id}


def test_entries_of_one_file_share_its_copy(house):
    first = house.land("day", b"two entries", inner="entry_1")
    path = house.raw / "day.h5"
    second = house.see("day", [house.sighted(path, "data", "entry_2")], "entry_2")
    for scan in (first, second):
        archive(house.engine, scan, house.place, actor="me")
    paths = [each.path for each in rows(house, ReplicaFile)]
    assert len(paths) == 2 and len(set(paths)) == 1


def test_the_copy_of_a_file_that_grew_later_stays(house):
    first = house.land("day", b"one entry", inner="entry_1")
    archive(house.engine, first, house.place, actor="me")
    path = house.raw / "day.h5"
    path.write_bytes(b"one entry, and another")
    second = house.see("day", [house.sighted(path, "data", "entry_2")], "entry_2")
    archive(house.engine, second, house.place, actor="me")
    contents = {(house.copies / each.path).read_bytes() for each in rows(house, ReplicaFile)}
    assert contents == {b"one entry", b"one entry, and another"}


def test_a_copy_that_was_cut_short_goes_on(house, monkeypatch):
    scan = house.land_series("sweep", 6)
    put, calls = Place.put, []

    def die_at_the_fourth(self, *arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return put(self, *arguments)

    monkeypatch.setattr(Place, "put", die_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        archive(house.engine, scan, house.place, actor="me")
    assert rows(house, Replica)[0].state == "copying"
    done = archive(house.engine, scan, house.place, actor="me")
    assert (done.state, done.files, done.copied) == ("verified", 6, 3)
    assert not list(house.copies.rglob("*.partial"))


def test_an_original_that_rotted_is_not_archived(house, rot):
    scan = house.land("tooth", b"0123456789")
    digest_some(house.engine, None, lambda: False)
    rot(house.raw / "tooth.h5", 3)
    with pytest.raises(CatalogError, match=r"tooth.h5 no longer has the bytes"):
        archive(house.engine, scan, house.place, actor="me")
    assert rows(house, Replica)[0].state == "damaged"
    assert house.events(scan, "alarm") == ["not_archived"]
    assert [each.name for each in house.copies.rglob("*") if each.is_file()] == [".dayseye-archive"]


def test_a_copy_that_reads_back_otherwise_is_none(house, monkeypatch):
    scan = house.land("tooth")
    monkeypatch.setattr(Place, "digest", lambda *_: "0" * 64)
    with pytest.raises(CatalogError, match="reads back with other bytes"):
        archive(house.engine, scan, house.place, actor="me")
    assert rows(house, ReplicaFile) == []


def test_a_damaged_copy_is_mended(house, rot):
    scan = house.land("tooth")
    archive(house.engine, scan, house.place, actor="me")
    (copy,) = rows(house, ReplicaFile)
    rot(house.copies / copy.path)
    with Session(house.engine) as session, session.begin():
        session.scalars(select(Replica)).one().state = "damaged"
    assert archive(house.engine, scan, house.place, actor="me").copied == 1
    assert (house.copies / copy.path).read_bytes() == b"raw bytes"
    assert len(rows(house, ReplicaFile)) == 1


def test_a_file_that_changed_since_it_arrived_is_not_copied(house):
    scan = house.land("tooth")
    os.utime(house.raw / "tooth.h5", ns=(1, 1))
    with pytest.raises(CatalogError, match="changed since it arrived"):
        archive(house.engine, scan, house.place, actor="me")


def test_a_place_that_is_not_mounted_is_noticed(house):
    house.copies.rmdir()
    with pytest.raises(CatalogError, match="is not there"):
        archive(house.engine, house.land("tooth"), house.place, actor="me")
    house.copies.mkdir()
    archive(house.engine, house.land("bone"), house.place, actor="me")
    (house.copies / ".dayseye-archive").unlink()
    with pytest.raises(CatalogError, match="does not look like our archive"):
        archive(house.engine, house.land("shell"), house.place, actor="me")


def test_an_object_store_serves_too(house):
    scan = house.land_series("sweep", 3)
    place = Place("memory://bucket/prefix")
    done = archive(house.engine, scan, place, actor="me")
    assert (done.state, done.copied) == ("verified", 3)
    (first, *_) = rows(house, ReplicaFile)
    assert place.digest(first.path, "sha256") == first.digest


def test_only_one_process_cares_for_a_dataset(house):
    scan = house.land("tooth")
    with alone(house.engine, scan), pytest.raises(CatalogError, match="Another process"):
        archive(house.engine, scan, house.place, actor="me")
    assert archive(house.engine, scan, house.place, actor="me").copied == 1


def test_unknown_places_are_explained():
    with pytest.raises(CatalogError, match="Install s3fs"):
        Place("s3://bucket/prefix")
    with pytest.raises(CatalogError, match="Protocol not known"):
        Place("nothing://x")


def test_digests_come_in_the_background(house):
    house.land("tooth")
    house.land_series("sweep", 3)
    first = house.land("day", b"two entries", inner="entry_1")
    house.see("day", [house.sighted(house.raw / "day.h5", "data", "entry_2")], "entry_2")
    assert first
    done, after = digest_some(house.engine, None, lambda: False)
    assert (done, after) == (4, None) or done == 3
    assert all(row.digest for row in rows(house, DatasetFile))


def test_digests_stop_and_go_on(house):
    for number in range(4):
        house.land(f"scan_{number}", f"bytes {number}".encode())
    asked = iter([False, False, False, True])
    done, after = digest_some(house.engine, None, lambda: next(asked))
    assert done == 2 and after is not None
    assert digest_some(house.engine, after, lambda: False) == (2, None)


def test_bytes_that_changed_lose_their_digest(house):
    house.land("tooth")
    digest_some(house.engine, None, lambda: False)
    path = house.raw / "tooth.h5"
    path.write_bytes(b"other bytes!")
    house.see("tooth", [house.sighted(path, "data")])
    assert [row.digest for row in rows(house, DatasetFile)] == [None]
