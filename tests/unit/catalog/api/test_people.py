"""What people decide and correct, over the API."""

import pytest

TOKEN = {"Authorization": "Bearer correct horse battery staple"}
WHY = {"reason": "it is enough", "actor": "ada"}


@pytest.fixture
def post(fresh_client):
    def ask(path, **body):
        return fresh_client.post(path, headers=TOKEN, json={**WHY, **body})

    return ask


def test_quarantine_and_what_follows(fresh_client, world, post):
    broken = world.land("cut", stage="broken", reason="It is cut short.").dataset_id
    short = world.land("short", stage="incomplete", format="dxchange").dataset_id
    names = [each["name"] for each in fresh_client.get("/api/quarantine", headers=TOKEN).json()]
    assert names == ["cut"]
    every = fresh_client.get("/api/quarantine?every=true", headers=TOKEN).json()
    assert {"cut", "short"} <= {each["name"] for each in every}
    refused = post(f"/api/datasets/{broken}/accept")
    assert refused.status_code == 409 and "mend its files" in refused.json()["detail"]
    assert post(f"/api/datasets/{broken}/recheck").json()["state"] == "quarantined"
    assert post(f"/api/datasets/{short}/accept").json()["state"] == "validated"
    assert post(f"/api/datasets/{short}/quarantine").json()["state"] == "quarantined"
    assert post(f"/api/datasets/{short}/release").json()["state"] == "validated"
    detail = fresh_client.get(f"/api/datasets/{short}", headers=TOKEN).json()
    assert detail["state"] == "validated"


def test_whose_and_what(fresh_client, world, post):
    scan = world.land("scan", sample="molar", proposal=None).dataset_id
    assigned = post(f"/api/datasets/{scan}/assign", proposal="p1", visit="2").json()
    assert assigned["after"] == {"proposal": "p1", "visit": "2", "sample": "molar"}
    changed = post(f"/api/datasets/{scan}/sample", density=3.1, cell=[1, 2, 3, 90, 90, 120]).json()
    assert changed["before"] == {"density": None, "cell": None}
    assert changed["after"]["cell"]["gamma"] == 120
    rows = [{"sample": "molar", "proposal": "p1", "formula": "SiO2", "density": None}]
    [row] = post("/api/samples", rows=rows).json()
    assert row["after"] == {"formula": "SiO2"}  # an empty value in a table says nothing
    table = "sample;proposal;density;formula\nmolar;p1;2,65\n"
    headers = {**TOKEN, "Content-Type": "text/csv"}
    answer = fresh_client.post("/api/samples/csv?reason=weighed", headers=headers, content=table)
    assert answer.status_code == 409 and "Row 1 (molar): density" in answer.json()["detail"]
    answer = fresh_client.post(
        "/api/samples/csv?reason=weighed", headers=headers, content=table.replace("2,65", "2.65")
    )
    assert answer.json()[0]["after"] == {"density": 2.65}


def test_what_a_calibration_touches(fresh_client, world):
    flats = world.land("flats", kind="calibration", calibration_kinds=("flat",)).dataset_id
    scan = world.land("scan", needs=("flat",)).dataset_id
    found = fresh_client.get(f"/api/datasets/{flats}/affected", headers=TOKEN).json()
    assert [each["dataset_id"] for each in found["touched"]] == [str(scan)]
