"""Bluesky documents, in any order, twice or never, become one report per run."""

import itertools
from typing import Any

import pytest

from triggers.documents import RUNS, Documents
from triggers.reports import RefusedError, local_path

START = {
    "uid": "run-1",
    "time": 1_800_000_000.0,
    "scan_id": 7,
    "plan_name": "tomography",
    "proposal": {"proposal_id": "2026-0117", "title": "teeth"},
    "sample": "left tooth",
    "visit": 3,
    "operator": "night shift",
}
DESCRIPTOR = {
    "uid": "descriptor-1",
    "run_start": "run-1",
    "name": "primary",
    "data_keys": {
        "camera": {"shape": [1, 2160, 2560], "external": "STREAM:"},
        "camera-sum": {"shape": [], "external": "STREAM:"},
    },
}
STREAM_RESOURCE = {
    "uid": "resource-1",
    "run_start": "run-1",
    "data_key": "camera",
    "mimetype": "application/x-hdf5",
    "uri": "file://localhost/raw/left%20tooth.h5",
    "parameters": {"dataset": "/entry/data"},
}
SUM = {**STREAM_RESOURCE, "uid": "resource-2", "data_key": "camera-sum"}
STOP = {"uid": "stop-1", "run_start": "run-1", "exit_status": "success", "num_events": {}}


def stream_datum(stop: int, resource: str = "resource-1") -> dict[str, Any]:
    return {
        "uid": f"{resource}/{stop}",
        "stream_resource": resource,
        "descriptor": "descriptor-1",
        "indices": {"start": 0, "stop": stop},
        "seq_nums": {"start": 1, "stop": stop + 1},
    }


FLY = [
    ("start", START),
    ("descriptor", DESCRIPTOR),
    ("stream_resource", STREAM_RESOURCE),
    ("stream_resource", SUM),
    ("stream_datum", stream_datum(40)),
    ("stream_datum", stream_datum(181)),
    ("stream_datum", stream_datum(362, "resource-2")),
    ("stop", STOP),
]
STEP = [
    ("start", START),
    (
        "resource",
        {
            "uid": "resource-1",
            "run_start": "run-1",
            "spec": "AD_HDF5",
            "root": "/raw",
            "resource_path": "2026/left.h5",
            "resource_kwargs": {"frame_per_point": 2},
        },
    ),
    ("datum", {"datum_id": "resource-1/0", "resource": "resource-1", "datum_kwargs": {}}),
    ("datum_page", {"datum_id": ["resource-1/0", "resource-1/1"], "resource": "resource-1"}),
    ("stop", STOP),
]


def told(documents, pairs):
    """Return the last report."""
    reports = [documents.take(name, document) for name, document in pairs]
    return next(report for report in reversed(reports) if report)


def test_a_start_opens_a_run():
    report = Documents().take("start", START)
    assert report is not None
    assert (report.key, report.paths) == ("run-1", ())
    assert report.payload == {
        "uid": "run-1",
        "stage": "started",
        "proposal": "2026-0117",
        "visit": "3",
        "sample": "left tooth",
        "plan": "tomography",
        "started_at": "2027-01-15T08:00:00+00:00",
        "metadata": {"bluesky": {"scan_id": 7, "operator": "night shift"}},
    }


def test_a_run_ends_with_its_files_and_frames():
    report = told(Documents(), FLY)
    assert report.paths == ("/raw/left tooth.h5",)
    assert report.payload["stage"] == "finished"
    assert report.payload["expected_frames"] == 181


def test_documents_of_single_points_count_too():
    report = told(Documents(), STEP)
    assert report.paths == ("/raw/2026/left.h5",)
    assert report.payload["expected_frames"] == 4


def test_frames_that_come_are_no_news_until_the_end():
    documents = Documents()
    reports = [documents.take(name, document) for name, document in FLY]
    assert [report is not None for report in reports] == [
        *(True, False, True, False),
        *(False, False, False, True),
    ]


@pytest.mark.parametrize("pairs", [FLY[:5] + FLY[7:], STEP], ids=["fly", "step"])
def test_any_order_tells_the_same(pairs):
    in_order = told(Documents(), pairs)
    for shuffled in itertools.permutations(pairs):
        report = told(Documents(), shuffled)
        assert (report.payload, set(report.paths)) == (in_order.payload, set(in_order.paths))


def test_twice_is_once():
    documents = Documents()
    for name, document in FLY:
        documents.take(name, document)
    assert [documents.take(name, document) for name, document in FLY] == [None] * len(FLY)


@pytest.mark.parametrize("missing", range(len(FLY)))
def test_one_that_never_comes_loses_only_its_own_words(missing):
    report = told(Documents(), FLY[:missing] + FLY[missing + 1 :])
    assert report.key == "run-1"
    assert report.payload["stage"] == ("started" if missing == 7 else "finished")
    assert report.paths == (("/raw/left tooth.h5",))


@pytest.mark.parametrize(
    ("status", "reason", "sentence"),
    [
        ("abort", "beam lost", "The Bluesky run was aborted: beam lost"),
        ("fail", "", "The Bluesky run failed"),
    ],
)
def test_a_run_that_was_aborted_says_why(status, reason, sentence):
    report = told(
        Documents(), [*FLY[:-1], ("stop", {**STOP, "exit_status": status, "reason": reason})]
    )
    assert (report.payload["stage"], report.payload["reason"]) == ("aborted", sentence)
    assert "expected_frames" not in report.payload


def test_a_resource_without_its_run_is_found_through_its_frames():
    lost = {key: value for key, value in STREAM_RESOURCE.items() if key != "run_start"}
    other = ("start", {"uid": "run-2", "time": 0})
    pairs = [other, *FLY[:2], ("stream_resource", lost), ("stream_datum", stream_datum(3)), FLY[-1]]
    report = told(Documents(), pairs)
    assert (report.key, report.paths) == ("run-1", ("/raw/left tooth.h5",))


def test_interleaved_runs_do_not_mix():
    documents = Documents()
    other = {**STREAM_RESOURCE, "uid": "other", "run_start": "run-2", "uri": "file:///raw/b.h5"}
    first = told(documents, [*FLY[:3], ("start", {**START, "uid": "run-2"})])
    second = documents.take("stream_resource", other)
    assert second is not None
    assert (first.key, second.key, second.paths) == ("run-2", "run-2", ("/raw/b.h5",))
    last = documents.take("stop", STOP)
    assert last is not None
    assert last.paths == ("/raw/left tooth.h5",)


def test_a_start_may_name_files_itself_and_announce_frames():
    start = {**START, "files": ["/raw/a.nxs"], "expected_frames": 12}
    report = told(Documents(), [("start", start), ("stop", STOP)])
    assert (report.paths, report.payload["expected_frames"]) == (("/raw/a.nxs",), 12)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("launch", {}),
        ("start", {}),
        ("start", {"uid": 7}),
        ("stop", {"exit_status": "success"}),
        ("datum_page", {"resource": "a", "datum_id": "b"}),
    ],
)
def test_what_is_no_document_is_refused(name, document):
    with pytest.raises(RefusedError):
        Documents().take(name, document)


def test_events_of_any_kind_are_passed_over():
    documents = Documents()
    assert documents.take("event", {"data": {"x": 1}}) is None
    assert documents.take("event_page", {}) is None


def test_memory_has_an_end():
    documents = Documents()
    for number in range(3 * RUNS):
        documents.take("start", {"uid": str(number), "time": number})
        documents.take("stream_datum", {"stream_resource": f"r{number}", "descriptor": "d"})
    assert len(documents._runs) == RUNS


@pytest.mark.parametrize(
    ("path", "names", "here"),
    [
        ("/raw/a.h5", {}, "/raw/a.h5"),
        ("/ramdisk/x/a.h5", {"/ramdisk": "/mnt/raw", "/ramdisk/x": "/mnt/x"}, "/mnt/x/a.h5"),
        ("/ramdisks/a.h5", {"/ramdisk": "/mnt"}, "/ramdisks/a.h5"),
        ("Z:\\raw\\a.h5", {"Z:\\": "/mnt/z"}, "/mnt/z/raw/a.h5"),
        ("\\\\nas\\raw\\a.h5", {"\\\\nas\\raw": "/mnt/raw"}, "/mnt/raw/a.h5"),
        ("/raw/../etc/passwd", {}, "/etc/passwd"),
    ],
)
def test_paths_are_named_as_here(path, names, here):
    assert local_path(path, names) == here
