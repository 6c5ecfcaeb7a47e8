"""Every byte that rots is found, in a copy and in an original, and the file is named."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.custody import archive, digest_some, verify
from catalog.errors import CatalogError
from catalog.models import Replica


def state(house):
    with Session(house.engine) as session:
        return session.scalars(select(Replica.state)).all()


def look(house, scan):
    return verify(house.engine, scan, house.open_place, actor="me")


def files_of(folder):
    return sorted(
        each for each in folder.rglob("*") if each.is_file() and not each.name.startswith(".")
    )


def test_what_is_whole_is_verified(house):
    scan = house.land("tooth", b"x" * 5000)
    archive(house.engine, scan, house.place, actor="me")
    found = look(house, scan)
    assert (found.findings, found.files, found.bytes) == ([], 2, 10_000)
    assert state(house) == ["verified"]
    assert house.events(scan, "alarm") == []


def test_every_rotted_byte_of_copies_is_found(house, rot):
    scan = house.land_series("sweep", 40)
    archive(house.engine, scan, house.place, actor="me")
    chosen = files_of(house.copies)[::5]
    for number, path in enumerate(chosen):
        rot(path, number % path.stat().st_size)
    found = look(house, scan)
    assert {str(house.copies / each.path) for each in found.findings} == {str(p) for p in chosen}
    assert state(house) == ["damaged"]
    assert house.events(scan, "alarm") == ["copy_damaged"]
    assert all(path.name in house.alarm(scan) for path in chosen)


def test_every_rotted_byte_of_originals_is_found(house, rot):
    single, series = house.land("tooth", bytes(range(200))), house.land_series("sweep", 12)
    for scan in (single, series):
        archive(house.engine, scan, house.place, actor="me")
    rot(house.raw / "tooth.h5", 199)
    images = files_of(house.raw / "sweep")
    rot(images[3])
    images[5].unlink()
    assert [each.path for each in look(house, single).findings] == [str(house.raw / "tooth.h5")]
    found = {each.path: each.problem for each in look(house, series).findings}
    assert set(found) == {str(images[3]), str(images[5])}
    assert found[str(images[5])] == "it is not there"
    assert state(house) == ["verified", "verified"]
    assert house.events(series, "alarm") == ["original_damaged"]


def test_originals_without_a_copy_are_compared_with_their_digest(house, rot):
    scan, series = house.land("tooth", b"0123456789"), house.land_series("sweep", 4)
    digest_some(house.engine, None, lambda: False)
    assert look(house, scan).findings == look(house, series).findings == []
    rot(house.raw / "tooth.h5")
    rot(house.raw / "sweep" / "proj_0002.tif")
    assert "sha256 is another one" in look(house, scan).findings[0].problem
    assert len(look(house, series).findings) == 1


def test_a_missing_or_cut_copy_is_found_and_mended(house):
    scan = house.land_series("sweep", 3)
    archive(house.engine, scan, house.place, actor="me")
    first, second, _ = files_of(house.copies)
    first.unlink()
    second.write_bytes(b"cut")
    problems = [each.problem for each in look(house, scan).findings]
    assert problems == ["it is not there", "it has 3 bytes where there were 7"]
    assert archive(house.engine, scan, house.place, actor="me").copied == 2
    assert look(house, scan).findings == []
    assert state(house) == ["verified"]


def test_a_place_out_of_reach_damages_nothing(house):
    scan = house.land("tooth")
    archive(house.engine, scan, house.place, actor="me")
    house.copies.rename(house.folder / "elsewhere")
    with pytest.raises(CatalogError, match="is not there: mount it"):
        look(house, scan)
    assert state(house) == ["verified"]
    assert house.events(scan, "alarm") == []


def test_a_file_that_grew_by_another_entry_is_not_damaged(house):
    scan = house.land("day", b"one entry", inner="entry_1")
    archive(house.engine, scan, house.place, actor="me")
    with (house.raw / "day.h5").open("ab") as file:
        file.write(b", and another")
    assert look(house, scan).findings == []
