"""Purging: off by default, only behind a copy hashed at that moment; cut short, it goes on."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from catalog import custody, runs
from catalog.custody import archive, purge, purgeable, resume_purges
from catalog.custody.unlink import unlink_below
from catalog.errors import CatalogError

NOW = timedelta()


@pytest.fixture
def result(house):
    """A result with a verified copy, whose beamline lets results go at once."""
    house.may_purge(derived=NOW)
    result = house.reduce(house.land("tooth"))
    archive(house.engine, result, house.place, actor="me")
    return result


def go(house, dataset, **more):
    return purge(house.engine, dataset, house.open_place, actor="me", **more)


def outputs(house):
    return [each for each in house.processed.rglob("*") if each.is_file()]


def refusal(house, dataset, **more):
    with pytest.raises(CatalogError) as refused:
        go(house, dataset, **more)
    return str(refused.value)


def test_a_result_goes_and_its_tombstone_stays(house, result):
    done = go(house, result)
    assert (done.removed, done.left) == (2, [])
    assert outputs(house) == []
    assert not house.dataset(result).output_folder or not list(house.processed.rglob("slice.png"))
    tombstone = house.dataset(result)
    assert tombstone.purged_at is not None
    assert house.events(result)[-2:] == ["purged", "files_removed"]
    assert (house.raw / "tooth.h5").exists()
    assert len([e for e in house.copies.rglob("*") if e.is_file()]) == 3
    with pytest.raises(IntegrityError, match="a tombstone stays"), house.engine.begin() as on:
        on.execute(text("UPDATE dataset SET purged_at = NULL"))


def test_it_is_off_by_default(house):
    result = house.reduce(house.land("tooth"))
    archive(house.engine, result, house.place, actor="me")
    assert "settings of beamline imaging do not allow it" in refusal(house, result)
    with Session(house.engine) as session:
        assert purgeable(session) == []
    assert len(outputs(house)) == 2


def test_a_dry_run_says_what_would_go_and_why_not(house, result):
    other = house.reduce(house.land("bone"), "flow-run-2")
    with Session(house.engine) as session:
        found = {each.dataset_id: each for each in purgeable(session)}
    assert found[result].allowed and str(house.copies) in found[result].reason
    assert not found[other].allowed and "no verified copy" in found[other].reason
    assert len(outputs(house)) == 4


def test_a_hold_keeps_it_until_it_is_released(house, result):
    with Session(house.engine) as session, session.begin():
        custody.hold(session, result, actor="li", reason="the thesis needs it")
    assert "li holds it: the thesis needs it" in refusal(house, result)
    with Session(house.engine) as session, session.begin():
        assert custody.release(session, result, actor="li", reason="done") == 1
    assert go(house, result).removed == 2


def test_retention_must_have_passed(house, result):
    house.may_purge(derived=timedelta(days=30))
    assert "it is kept until" in refusal(house, result)


def test_a_run_that_may_read_it_keeps_it(house, result):
    source = house.dataset(result).source_id
    with Session(house.engine) as session, session.begin():
        runs.request_run(session, source, {}, actor="me", reason="again")
    assert "uses it" in refusal(house, result)


def test_a_copy_that_rotted_meanwhile_keeps_it(house, result, rot):
    copy = next(each for each in house.copies.rglob("volume.h5"))
    rot(copy)
    assert "no copy of it is whole" in refusal(house, result)
    assert house.events(result, "alarm") == ["copy_damaged"]
    assert house.dataset(result).purged_at is None
    assert len(outputs(house)) == 2


def test_an_original_that_was_changed_keeps_it(house, result):
    volume = next(each for each in outputs(house) if each.name == "volume.h5")
    volume.write_bytes(b"edited by hand")
    assert "was changed" in refusal(house, result)


def test_raw_data_need_the_beamlines_word_and_the_persons(house):
    scan = house.land("tooth")
    house.reduce(scan)
    archive(house.engine, scan, house.place, actor="me")
    assert "only when asked for (--raw)" in refusal(house, scan)
    assert "do not allow it" in refusal(house, scan, raw=True)
    house.may_purge(raw=NOW)
    assert go(house, scan, raw=True).removed == 1
    assert list(house.raw.iterdir()) == []


def test_only_the_copied_members_of_a_series_go(house):
    house.may_purge(raw=NOW)
    scan = house.land_series("sweep", 4)
    house.reduce(scan)
    archive(house.engine, scan, house.place, actor="me")
    (house.raw / "sweep" / "notes.txt").write_text("written later")
    assert go(house, scan, raw=True).removed == 4
    assert [each.name for each in (house.raw / "sweep").iterdir()] == ["notes.txt"]


def test_a_file_goes_with_its_last_entry(house):
    house.may_purge(raw=NOW)
    first = house.land("day", b"two entries", inner="entry_1")
    house.reduce(first)
    second = house.see("day", [house.sighted(house.raw / "day.h5", "data", "entry_2")], "entry_2")
    house.reduce(second, "flow-run-2")
    for scan in (first, second):
        archive(house.engine, scan, house.place, actor="me")
    done = go(house, first, raw=True)
    assert done.removed == 0 and "is in the same file" in done.left[0]
    assert house.events(first, "alarm") == []
    assert (house.raw / "day.h5").exists()
    assert go(house, second, raw=True).removed == 1
    assert not (house.raw / "day.h5").exists()


@pytest.mark.parametrize("survived", [0, 1])
def test_a_purge_that_was_cut_short_goes_on(house, result, monkeypatch, survived):
    calls = []

    def die(root, relative, keep):
        if len(calls) == survived:
            raise KeyboardInterrupt
        calls.append(relative)
        return unlink_below(root, relative, keep)

    with monkeypatch.context() as patch:
        patch.setattr("catalog.custody.purging.unlink_below", die)
        with pytest.raises(KeyboardInterrupt):
            go(house, result)
    assert house.dataset(result).purged_at is not None
    assert len(outputs(house)) == 2 - survived
    (done,) = resume_purges(house.engine, house.open_place, actor="caretaker")
    assert done.removed == 2 - survived
    assert outputs(house) == []
    assert resume_purges(house.engine, house.open_place, actor="caretaker") == []


def test_a_crash_before_the_tombstone_removes_nothing(house, result, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("catalog.custody.purging._enter_tombstone", die)
        with pytest.raises(KeyboardInterrupt):
            go(house, result)
    assert house.dataset(result).purged_at is None
    assert len(outputs(house)) == 2
    assert go(house, result).removed == 2


def test_going_on_needs_a_whole_copy_too(house, result, monkeypatch, rot):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("catalog.custody.purging.unlink_below", die)
        with pytest.raises(KeyboardInterrupt):
            go(house, result)
    rot(next(house.copies.rglob("volume.h5")))
    (waits,) = resume_purges(house.engine, house.open_place, actor="caretaker")
    assert waits.removed == 0 and "no copy of it is whole" in waits.left[0]
    assert len(outputs(house)) == 2


def test_no_link_leads_out(house, result, tmp_path):
    """Somebody puts a link to other data where the result's folder was."""
    other = tmp_path / "precious"
    other.mkdir()
    (other / "volume.h5").write_bytes(b"a volume")
    volume = next(each for each in outputs(house) if each.name == "volume.h5")
    folder = volume.parent
    folder.rename(tmp_path / "moved")
    folder.symlink_to(other)
    done = go(house, result)
    assert any("is a link" in each for each in done.left)
    assert "is a link" in house.alarm(result)
    (waits,) = resume_purges(house.engine, house.open_place, actor="caretaker")
    assert waits.left == done.left
    assert house.events(result).count("files_removed") == 1
    assert (other / "volume.h5").read_bytes() == b"a volume"


def test_a_link_in_the_place_of_a_file_stays(tmp_path):
    root, other = tmp_path / "root", tmp_path / "precious"
    root.mkdir()
    other.write_text("precious")
    (root / "volume.h5").symlink_to(other)
    with pytest.raises(OSError, match="is a link"):
        unlink_below(root, "volume.h5", 0)
    assert other.read_text() == "precious"


def test_results_elsewhere_are_none_of_ours(house, result):
    with house.engine.begin() as connection:
        connection.execute(text("UPDATE beamline SET output_template = '/elsewhere/{scan}'"))
    assert "lies outside /elsewhere" in refusal(house, result)


def test_the_database_refuses_by_itself(house, result):
    with house.engine.begin() as connection:
        connection.execute(text("UPDATE replica SET verified_at = now() - interval '2 hours'"))
    mark = text("UPDATE dataset SET purged_at = now() WHERE id = :id")
    refused = pytest.raises(IntegrityError, match="no copy of it was verified within")
    with refused, house.engine.begin() as connection:
        connection.execute(mark, {"id": result})
