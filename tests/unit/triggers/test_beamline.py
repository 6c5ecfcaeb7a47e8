from pathlib import Path

import pytest
from pydantic import ValidationError

from triggers.beamline import check_outputs


def test_defaults(make_beamline):
    beamline = make_beamline()
    assert beamline.accepts("scan 1.h5") and beamline.accepts("a.nxs")
    assert not beamline.accepts("notes.txt")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grouping": "folders"}, "'file', 'entry' or 'folder'"),
        ({"output": "/data/{scna}"}, "allowed are {beamline}, {proposal}, {visit}"),
        ({"output": "/data/{proposal}"}, "must contain {scan}"),
        ({"output": "/data/{scan"}, "unbalanced braces"),
        ({"output": "/data/{scan:03d}"}, "without formats"),
        ({"path_template": "{propsal}/{scan}"}, "{propsal} is not allowed"),
        ({"quiet_seconds": -1}, "quiet_seconds"),
        ({"quiet": 1}, "quiet\n"),
        ({"folders": []}, "folders"),
        ({"id": "Imaging Beamline"}, "id\n"),
        ({"calibrations": {"flats": {}}}, "'flats' is no kind of calibration; there are: flat,"),
        ({"sources": ["path", "path"]}, "each source is given once"),
        ({"sources": ["paths"]}, "sources"),
    ],
)
def test_mistakes_name_key_and_allowed_values(make_beamline, changes, words):
    with pytest.raises(ValidationError) as error:
        make_beamline(**changes)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("template", "path", "found"),
    [
        ("{proposal}/{sample}/{scan}", "p1/bone 骨/s.7.h5",
         {"proposal": "p1", "sample": "bone 骨", "scan": "s.7"}),
        ("{proposal}/{_}/{scan}", "p1/raw/scan_1.nxs", {"proposal": "p1", "scan": "scan_1"}),
        ("{proposal}-{visit}/{scan}", "cm-1/s", {"proposal": "cm", "visit": "1", "scan": "s"}),
        ("{proposal}/{scan}", "p1/s/projections", {"proposal": "p1", "scan": "s"}),
        ("{proposal}/{scan}", "loose.h5", {}),
        ("", "p1/s.h5", {}),
    ],
)  # fmt: skip
def test_what_a_path_tells(make_beamline, template, path, found):
    assert make_beamline(path_template=template).describe(path) == found


def test_storages(make_beamline, tmp_path, raw):
    other = tmp_path / "other"
    beamline = make_beamline(folders=[raw, other])
    assert beamline.locate(raw / "a/b.h5") == (raw, "a/b.h5")
    assert beamline.locate(other / "c.h5") == (other, "c.h5")
    assert beamline.locate(Path("/elsewhere/x/y.h5")) == (Path("/elsewhere/x"), "y.h5")
    assert beamline.locate(raw / "../else.h5") == (tmp_path, "else.h5")


@pytest.mark.parametrize("output", ["{raw}/done/{{scan}}", "{raw}/{{proposal}}/{{scan}}"])
def test_results_never_land_where_data_are_watched(make_beamline, raw, output):
    first = make_beamline()
    second = make_beamline(id="other", folders=[raw / "../x"], output=output.format(raw=raw))
    with pytest.raises(ValueError, match=r"beamlines\.other\.output.*watched for beamline imaging"):
        check_outputs([first, second])
    check_outputs([first])


def test_results_through_a_link_into_a_watched_folder(make_beamline, tmp_path, raw):
    (tmp_path / "link").symlink_to(raw)
    with pytest.raises(ValueError, match="watched"):
        check_outputs([make_beamline(output=f"{tmp_path}/link/{{scan}}")])
