"""The pages: they stand without JavaScript, say what they should, and say it safely."""

import re
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.models import Beamline, Series
from catalog.runs.series_runs import open_due
from catalog.sightings import SeriesMark
from catalog.web.words import plain

BROWSER = {"accept": "text/html,application/xhtml+xml"}


def read(client, path: str, status: int = 200) -> str:
    response = client.get(path, headers=BROWSER)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    return response.text


def assert_words(html: str, *words: str) -> None:
    missing = [word for word in words if word not in html]
    assert not missing


def test_datasets(client, lives) -> None:
    html = read(client, "/")
    assert_words(html, "tooth", "牙齿 3", "quarantined", plain("waiting_for_calibration"))
    assert_words(html, "copy it again", "The disk is full", f"/datasets/{lives.tooth}", "v002")
    assert f'src="/api/datasets/{lives.second}/files/' in html


def test_datasets_that_were_searched_for(client, lives) -> None:
    html = read(client, "/?text=牙齿&kind=raw&beamline=&state=&technique=ct")
    assert_words(html, f"/datasets/{lives.tooth}")
    assert f"/datasets/{lives.broken}" not in html


def test_all_kinds(client, lives) -> None:
    assert_words(read(client, "/?kind=all"), "flats", "tooth v001", "needy")


def test_pages_of_datasets_keep_the_search(fresh_client, world) -> None:
    for number in range(42):
        world.land(f"scan {number:02d}")
    html = read(fresh_client, "/?text=scan")
    older = re.search(r'href="(/\?[^"]*)" rel="next"', html)
    assert older is not None
    assert "text=scan" in older[1]
    html = read(fresh_client, older[1].replace("&amp;", "&"))
    assert_words(html, "scan 01", "scan 00", "Newest")


def test_nothing_has_landed(fresh_client, world) -> None:
    assert_words(read(fresh_client, "/"), "No scan has landed yet", "dayseye ingest")


def test_a_dataset(client, lives) -> None:
    html = read(client, f"/datasets/{lives.tooth}")
    assert_words(html, "Verdict: ok", "rotation axis", "295.312", ">px<", "ramp", "slice z")
    assert_words(html, "tooth.h5", "flats", "Lifecycle", "registered", "<svg", "Lineage")
    assert_words(
        html, "beamline staff", "axis is off", f"dayseye reduce {lives.tooth} --set rotation_axis"
    )
    assert "/runs/flow-run/flow-run-2" in html


def test_a_result_that_must_be_looked_at(client, lives) -> None:
    html = read(client, f"/datasets/{lives.first}")
    assert_words(html, "Verdict: check", "The two methods differ by 3.2 px", "tooth v001")
    assert_words(html, f"dayseye reduce {lives.tooth}")


def test_a_series_leads_to_its_scans_and_shows_the_lineage_of_its_result(
    fresh_client, world
) -> None:
    with Session(world.engine) as session, session.begin():
        recipes.publish_flow(session, "ct-series", "ct", "1", {"type": "object"})
        session.execute(update(Beamline).values(series_flow="ct-series"))
    day = SeriesMark("file", "day.h5")
    for name in ("noon", "dusk"):
        scan = world.land(name, series=day).dataset_id
        world.finish(world.begin(scan, f"flow-run of {name}"))
    with Session(world.engine) as session, session.begin():
        series = session.scalars(select(Series.dataset_id)).one()
        assert open_due(session, series) is not None
    result = world.finish(world.begin(series, "flow-run of the day", flow="ct-series"))
    html = read(fresh_client, f"/datasets/{series}")
    assert_words(html, "day series", "2 scans", f'href="/?parent={series}">its scans</a>')
    assert_words(html, f'href="/datasets/{result}">its result</a>', "noon v001", "dusk v001")
    assert '<th scope="col">Digest</th>' not in html


def test_a_scan_in_quarantine(client, lives) -> None:
    assert_words(read(client, f"/datasets/{lives.broken}"), "Quarantined", "copy it again")


def test_a_scan_that_waits(client, lives) -> None:
    assert_words(read(client, f"/datasets/{lives.needy}"), "Waiting for calibration", "flat")


def test_a_run(client, lives) -> None:
    run = client.get("/api/runs?state=completed").json()["items"][0]
    html = read(client, f"/runs/{run['id']}")
    assert_words(html, "ct-reduction", "node1", "ct.reconstruct", "finufft", "no GPU", "296"[:2])
    assert_words(html, "beamline staff", "axis is off", "flow run", "Repeats")


def test_a_run_that_failed(client, lives) -> None:
    run = client.get("/api/runs?state=failed").json()["items"][0]
    assert_words(read(client, f"/runs/{run['id']}"), "The disk is full", "failed")


def test_runs(client, lives) -> None:
    assert_words(read(client, "/runs"), "tooth", "v002", "The disk is full")
    html = read(client, "/runs?state=failed")
    assert "v002" not in html


def test_status(client, lives) -> None:
    html = read(client, "/status")
    assert_words(html, "Status", "quarantined", "Waits longest", "needy", "Room on the disks")


@pytest.mark.parametrize("path", ["/datasets/{}", "/runs/{}", "/nothing/{}"])
def test_what_is_not_there_is_a_page_too(client, path) -> None:
    assert_words(read(client, path.format(uuid4()), 404), "Not Found", "Back to the datasets")


def test_an_address_that_makes_no_sense(client) -> None:
    assert_words(read(client, "/?state=fine", 422), "query.state")


def test_names_are_escaped(fresh_client, world) -> None:
    scan = world.land("a&b", sample="<script>alert(1)</script>", metadata={"title": "<b>"})
    html = read(fresh_client, f"/datasets/{scan.dataset_id}") + read(
        fresh_client, "/?text=<script>"
    )
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(client, lives) -> None:
    for path in ("/", f"/datasets/{lives.tooth}", "/runs", "/status"):
        html = read(client, path)
        assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son\w+=", html)
        sources = re.findall(r'(?:src|<link[^>]*href)="([^"]*)"', html)
        assert sources
        assert all(source.startswith("/") for source in sources)
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", ["dayseye.css", "logo.svg", "refresh.js"])
def test_static_files(client, name) -> None:
    assert client.get(f"/static/{name}").status_code == 200
