import os
import time

import pytest

from infra.commands.explain import lines
from triggers.explain import explain

RULES = [
    {"name": "scratch", "match": ["**/tmp/**"], "ignore": True},
    {"name": "quick", "match": ["quick/*.h5"], "done_marker": "{name}.done"},
    {"name": "later", "match": ["**/*.h5", "images/*"], "path_template": "{proposal}/{scan}"},
    {"name": "folders", "match": ["folders/**"], "grouping": "folder"},
]


@pytest.fixture
def beamline(make_beamline):
    return make_beamline(rules=RULES)


def write_old(write_scan, path, **about):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scan(path, **about)
    old = time.time() - 100
    os.utime(path, (old, old))
    return path


def test_a_dataset_with_its_rule(beamline, raw, write_scan):
    path = write_old(write_scan, raw / "p1" / "scan 1.h5", uid="u1")
    found = explain([beamline], path, lambda *_: {"proposal": "p2", "stage": "finished"})
    assert (found.beamline, found.rule, found.belongs_to) == ("imaging", "later", path)
    assert (found.grouping, found.technique, found.ends_with) == ("entry", "ct", None)
    assert 90 < found.quiet_for < 200
    [dataset] = found.datasets
    assert (dataset.key, dataset.stage, dataset.frames) == ("uid:u1", "complete", 5)
    assert dataset.known == {"proposal": "p1", "scan": "scan 1"}
    assert dataset.known_from["proposal"] == "path"
    assert dataset.told_otherwise == {"proposal": {"report": "p2"}}


def test_why_rules_take_it_or_not(beamline, raw, write_scan):
    path = write_old(write_scan, raw / "quick" / "a.h5")
    found = explain([beamline], path)
    assert [(each.rule, each.takes, each.why) for each in found.rules] == [
        ("scratch", False, "quick/a.h5 does not fit **/tmp/**"),
        ("quick", True, "it fits quick/*.h5"),
        ("later", False, "it fits **/*.h5, but rule quick comes first"),
        ("folders", False, "quick/a.h5 does not fit folders/**"),
    ]
    assert found.notes[0] == f"Its end is marked by {path}.done, which is not there yet."
    assert found.datasets[0].stage == "incomplete"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("p1/tmp/a.h5", "Rule scratch ignores it."),
        ("p1/.a.h5", "begins with a dot"),
        ("notes.txt", "fits none of the beamline's patterns: *.h5,"),
        ("folders/a.h5", "Its grouping is by folder"),
        ("loose.tif", "loose image"),
        ("p1/not yet.h5", "is not there"),
    ],
)
def test_why_there_is_none(make_beamline, raw, name, words):
    beamline = make_beamline(rules=[*RULES[:2], RULES[3]])
    found = explain([beamline], raw / name)
    assert words in found.ends_with and found.datasets == ()


def test_folders(beamline, raw, write_scan, tmp_path):
    path = write_old(write_scan, raw / "p1" / "a.h5")
    assert explain([beamline], raw / "p1").ends_with == (
        f"It is a folder of several datasets; ask about one: {path}."
    )
    (raw / "empty").mkdir()
    assert "nothing fits" in explain([beamline], raw / "empty").ends_with
    outside = explain([beamline], tmp_path / "a.h5")
    assert outside.ends_with == f"No beamline watches it. Watched are: imaging: {raw}."


def test_a_file_that_cannot_be_read(beamline, raw, write_scan):
    path = write_old(write_scan, raw / "a.h5")
    path.write_bytes(path.read_bytes()[:600])
    os.utime(path, (0, 0))
    [dataset] = explain([beamline], path).datasets
    assert dataset.stage == "broken" and dataset.reason


def test_what_it_will_be_if_nothing_changes(beamline, raw, write_scan):
    path = raw / "short.h5"
    write_scan(path, uid="u1", frames=3)
    [dataset] = explain([beamline], path).datasets
    assert (dataset.stage, dataset.ends_as) == ("opened", "incomplete")
    assert "3 of 5 announced frames" in dataset.ends_because


def test_calibrations(make_beamline, raw, write_scan):
    beamline = make_beamline(
        rules=[{"name": "air", "match": ["air/*"], "calibration": "empty"}],
        needs=["empty", "mask"],
        calibrations={"mask": {"wait": False}},
    )
    [empty] = explain([beamline], write_old(write_scan, raw / "air" / "a.h5", uid="u1")).datasets
    assert (empty.kind, empty.serves_as, empty.waits_for) == ("calibration", ("empty",), ())
    found = explain([beamline], write_old(write_scan, raw / "b.h5", uid="u2"))
    [scan] = found.datasets
    assert (scan.kind, scan.serves_as) == ("raw", ())
    assert (scan.waits_for, scan.uses) == (("empty",), ("mask",))
    assert {"  waits for empty", "  uses      mask, if there is one by then"} <= {*lines(found, [])}
