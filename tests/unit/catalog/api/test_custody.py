"""Copies and holds over the API."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from catalog.api import create_app
from catalog.custody import archive, purge
from catalog.custody.verifying import open_places

TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture
def place(tmp_path):
    place = tmp_path / "copies"
    place.mkdir()
    return place


@pytest.fixture
def api(world, place):
    app = create_app(
        world.engine,
        public_url="http://127.0.0.1",
        prefect_ui_url="",
        token="secret",
        archive_place=f"file://{place}",
    )
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def test_a_copy_is_asked_for_once_and_made_in_the_background(world, api, place):
    scan = world.land("tooth").dataset_id
    (world.raw / "tooth.h5").touch()
    path = f"/api/datasets/{scan}"
    assert api.post(f"{path}/copies").status_code == 401
    for _ in range(2):
        asked = api.post(f"{path}/copies", headers=TOKEN)
        assert asked.status_code == 202
        (copy,) = asked.json()["copies"]
        assert (copy["state"], copy["place"], copy["files"]) == ("copying", str(place), 0)
    result = world.finish(world.begin(scan, "flow-run-1"))
    archive(world.engine, result, open_places([])(str(place)), actor="caretaker")
    (copy,) = api.get(f"/api/datasets/{result}/custody", headers=TOKEN).json()["copies"]
    assert (copy["state"], copy["files"]) == ("verified", 2)
    (kept,) = api.post(f"/api/datasets/{result}/copies", headers=TOKEN).json()["copies"]
    assert kept["state"] == "verified"


def test_holds(world, api):
    path = f"/api/datasets/{world.land('tooth').dataset_id}"
    (hold,) = api.post(f"{path}/holds", headers=TOKEN, json={"reason": "thesis"}).json()["holds"]
    assert hold["reason"] == "thesis" and hold["released_at"] is None
    assert api.post(f"{path}/holds", headers=TOKEN, json={}).status_code == 422
    released = api.post(f"{path}/holds/release", headers=TOKEN, json={"reason": "done"})
    assert released.json()["holds"][0]["released_by"]
    again = api.post(f"{path}/holds/release", headers=TOKEN, json={"reason": "done"})
    assert again.status_code == 409 and "Nobody holds" in again.text


def test_a_tombstone_says_so(world, api, place):
    result = world.finish(world.begin(world.land("tooth").dataset_id, "flow-run-1"))
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE beamline SET purge_derived_after = interval '0'"))
    archive(world.engine, result, open_places([])(str(place)), actor="me")
    detail = api.get(f"/api/datasets/{result}", headers=TOKEN).json()
    assert detail["purged_at"] is None
    url = f"/api/datasets/{result}/files/{detail['files'][0]['id']}/content"
    assert api.get(url, headers=TOKEN).status_code == 200
    purge(world.engine, result, open_places([]), actor="me")
    gone = api.get(url, headers=TOKEN)
    assert gone.status_code == 410 and "was purged at" in gone.text
    assert api.get(f"/api/datasets/{result}", headers=TOKEN).json()["purged_at"]
    assert "Its files were removed here" in api.get(f"/datasets/{result}", headers=TOKEN).text


def test_without_a_place_there_are_no_copies(world):
    app = create_app(world.engine, public_url="http://127.0.0.1", prefect_ui_url="", token="secret")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        scan = world.land("tooth").dataset_id
        refused = client.post(f"/api/datasets/{scan}/copies", headers=TOKEN)
    assert refused.status_code == 409 and "set archive.place" in refused.text
