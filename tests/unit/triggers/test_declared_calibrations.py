"""What rules say about calibrations: which data are some, and which data need them."""

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from tasks.io.probe import probe
from triggers.arrival import Arrival
from triggers.completeness import Judgement, judge


@pytest.fixture
def look(raw, write_scan):
    """Look at a scan that lands under a name, with its own flats or without, and sight it."""

    def sight(beamline, name, *, calibrated=True):
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if calibrated:
            write_scan(path, uid=name)
        else:
            with h5py.File(path, "w") as file:
                file.attrs["scan_uid"] = name
                file["exchange/theta"] = np.arange(3.0)
                file["exchange/data"] = np.ones((3, 4, 6), np.uint16)
        [entry] = probe(path)
        return Arrival(beamline, path, judge(entry, 100.0, beamline), entry).sighting()

    return sight


RULES = [
    {"name": "air", "match": ["air/*"], "calibration": "empty"},
    {"name": "bare", "match": ["bare/*"], "needs": []},
    {"name": "hot", "match": ["hot/*"], "needs": ["container"]},
]


def test_what_a_rule_calls_a_calibration_is_one_whatever_the_data_say(make_beamline, look):
    beamline = make_beamline(rules=RULES, needs=["geometry"])
    empty = look(beamline, "air/a.h5", calibrated=False)
    assert (empty.kind, empty.calibration_kinds, empty.needs) == ("calibration", ("empty",), ())
    assert (empty.rule, empty.series) == ("air", None)


def test_so_is_what_cannot_be_read(make_beamline, raw):
    (raw / "air").mkdir()
    (raw / "air" / "a.h5").write_bytes(b"nothing")
    beamline = make_beamline(rules=RULES)
    judgement = Judgement("broken", "it holds nothing")
    broken = Arrival(beamline, raw / "air" / "a.h5", judgement).sighting()
    assert (broken.kind, broken.calibration_kinds) == ("calibration", ("empty",))


@pytest.mark.parametrize(
    ("name", "calibrated", "needs"),
    [
        ("a.h5", True, ("geometry", "empty")),
        ("a.h5", False, ("flat", "dark", "geometry", "empty")),
        ("bare/a.h5", True, ()),
        ("bare/a.h5", False, ("flat", "dark")),
        ("hot/a.h5", True, ("container",)),
    ],
)
def test_what_data_need_beside_what_they_ask_for(make_beamline, look, name, calibrated, needs):
    beamline = make_beamline(rules=RULES, needs=["geometry", "empty"])
    assert sorted(look(beamline, name, calibrated=calibrated).needs) == sorted(needs)


def test_what_is_needed_twice_is_needed_once(make_beamline, look):
    beamline = make_beamline(needs=["dark", "geometry"])
    needs = look(beamline, "a.h5", calibrated=False).needs
    assert sorted(needs) == ["dark", "flat", "geometry"]


def test_what_a_beamline_needs_does_not_delay_its_data(make_beamline, raw, write_scan):
    beamline = make_beamline(needs=["geometry"])
    [entry] = probe(write_scan(raw / "a.h5", uid="u1"))
    assert judge(entry, 0.0, beamline).stage == "complete"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"needs": ["geometri"]}, "'geometri' is no kind of calibration; there are: flat, dark"),
        ({"needs": ["empty", "empty"]}, "'empty' is named twice"),
        ({"rules": [{"calibration": "void"}]}, "'void' is no kind of calibration"),
        ({"rules": [{"needs": ["flats"]}]}, "'flats' is no kind of calibration"),
        ({"rules": [{"calibration": "empty", "needs": ["mask"]}]}, "needs has no meaning"),
        ({"rules": [{"calibration": "empty", "series": "file"}]}, "series has no meaning"),
        ({"rules": [{"calibration": "empty", "ignore": True}]}, "calibration has no meaning"),
    ],
)
def test_mistakes(make_beamline, changes, words):
    rules = [{"name": "a", "match": ["**"], **each} for each in changes.get("rules", [])]
    with pytest.raises(ValidationError) as error:
        make_beamline(**{**changes, "rules": rules})
    assert words in str(error.value)


def test_who_waits(make_beamline):
    beamline = make_beamline(calibrations={"mask": {"wait": False}, "dark": {"choose": "both"}})
    waits = {kind: beamline.waits_for(kind) for kind in ("mask", "dark", "geometry")}
    assert waits == {"mask": False, "dark": True, "geometry": True}
