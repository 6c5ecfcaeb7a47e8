"""What is declared to make a series, and what that makes of data that land."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.models import Dataset
from catalog.sightings import SeriesMark
from triggers.arrival import Arrival
from triggers.completeness import Judgement
from triggers.ingest import ingest

TEMPLATE = "{proposal}/{sample}/{scan}"


def marked(beamline, raw: Path, relative: str) -> SeriesMark | None:
    path = raw / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return Arrival(beamline, path, Judgement("complete", None)).series


@pytest.mark.parametrize(
    ("series", "by", "of"),
    [
        ("file", "file", "{raw}/p1/foil/s1.h5"),
        ("folder", "folder", "{raw}/p1/foil"),
        ("sample", "sample", "foil"),
        ("{proposal} {sample}", "template", "p1 foil"),
    ],
)
def test_what_scans_share(make_beamline, raw, series, by, of):
    beamline = make_beamline(path_template=TEMPLATE, series=series)
    assert marked(beamline, raw, "p1/foil/s1.h5") == SeriesMark(by, of.format(raw=raw))


@pytest.mark.parametrize("series", ["none", "sample", "{visit}/{sample}"])
def test_what_is_not_told_makes_no_series(make_beamline, raw, series):
    beamline = make_beamline(path_template="{proposal}/{scan}", series=series)
    assert marked(beamline, raw, "p1/s1.h5") is None


def test_the_technique_decides_where_nothing_is_declared(make_beamline, raw):
    rules = [
        {"name": "quick", "match": ["quick/**"], "technique": "xas"},
        {"name": "kept", "match": ["kept/**"], "technique": "xas", "series": "none"},
        {"name": "maps", "match": ["maps/**"], "series": "folder"},
    ]
    beamline = make_beamline(rules=rules)
    assert marked(beamline, raw, "s.h5") is None
    assert marked(beamline, raw, "quick/s.h5") == SeriesMark("file", f"{raw}/quick/s.h5")
    assert marked(beamline, raw, "kept/s.h5") is None
    assert marked(beamline, raw, "maps/a/s.h5") == SeriesMark("folder", f"{raw}/maps/a")
    assert marked(make_beamline(technique="xas", series="none"), raw, "s.h5") is None


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ("files", "'files' makes no series; it is 'none', 'file', 'folder', 'sample', or a"),
        ("{detector}", "{detector} is not allowed"),
        ("{scan", "unbalanced braces"),
    ],
)
def test_mistakes(make_beamline, series, words):
    for changes in (
        {"series": series},
        {"rules": [{"name": "a", "match": ["*"], "series": series}]},
    ):
        with pytest.raises(ValidationError) as error:
            make_beamline(**changes)
        assert words in str(error.value)


def test_the_entries_of_a_growing_file_are_one_series(
    catalog_engine, make_beamline, raw, write_entry
):
    beamline = make_beamline(series="file")
    with Session(catalog_engine) as session, session.begin():
        for flow in ("ct", "ct-series"):
            recipes.publish_flow(session, flow, "ct", "1", {"type": "object", "properties": {}})
        recipes.publish_beamline(
            session,
            id=beamline.id,
            name=beamline.id,
            technique="ct",
            flow="ct",
            series_flow="ct-series",
            folders=beamline.folders,
            output_template=beamline.output,
        )
    for number in range(3):
        write_entry(raw / "day.nxs", f"entry{number}", uid=str(number))
        ingest(catalog_engine, raw / "day.nxs", beamline)
    write_entry(raw / "alone.nxs", "entry", uid="alone")
    ingest(catalog_engine, raw, beamline)
    with Session(catalog_engine) as session:
        found = {each.name: each for each in session.scalars(select(Dataset))}
    series = found.pop("day series")
    assert {name: each.parent_id for name, each in found.items()} == {
        "day-entry0": series.id,
        "day-entry1": series.id,
        "day-entry2": series.id,
        "alone": None,
    }
