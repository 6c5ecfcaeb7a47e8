"""The API: what it answers, and how it refuses."""

from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from catalog.api import create_app

# the fixtures `client`, `world` and `lives` stand in conftest.py
TOKEN = "correct horse battery staple"
PROBLEM = "application/problem+json"


def assert_problem(response, status: int, *words: str) -> dict:
    assert response.status_code == status
    assert response.headers["content-type"] == PROBLEM
    problem = response.json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["instance"] == response.request.url.path
    for word in words:
        assert word in problem["detail"]
    return problem


# -- datasets and lineage -----------------------------------------------------------------------


def test_lists_are_pages(client, lives) -> None:
    first = client.get("/api/datasets", params={"limit": 4}).json()
    rest = client.get("/api/datasets", params={"limit": 4, "cursor": first["next_cursor"]}).json()
    assert len(first["items"]) == 4
    assert len({item["id"] for item in first["items"] + rest["items"]}) == 7
    assert rest["next_cursor"] is None


def test_search_by_a_chinese_sample(client, lives) -> None:
    found = client.get("/api/datasets", params={"text": "牙齿", "kind": "raw"}).json()["items"]
    assert [item["sample"] for item in found] == ["牙齿 3"]
    assert found[0]["result"]["verdict"] == "ok"


def test_a_dataset_with_its_previews_and_history(client, lives) -> None:
    tooth = client.get(f"/api/datasets/{lives.tooth}").json()
    assert tooth["verdict"] == "ok"
    assert [version["version"] for version in tooth["versions"]] == [2, 1]
    assert tooth["events"][0]["event"] == "registered"
    assert client.get(tooth["previews"][0]["url"]).status_code == 200
    assert tooth["runs"][0]["flow_run_url"].endswith("/runs/flow-run/flow-run-2")


def test_lineage_is_a_graph(client, lives) -> None:
    graph = client.get(f"/api/datasets/{lives.second}/lineage").json()
    known = {node["id"] for node in graph["nodes"]}
    assert str(lives.tooth) in known
    assert all(edge["source"] in known and edge["target"] in known for edge in graph["edges"])


@pytest.mark.parametrize(
    "path",
    [
        "/api/datasets/{}",
        "/api/datasets/{}/lineage",
        "/api/runs/{}",
        "/api/datasets/{}/files/{}/content",
    ],
)
def test_what_is_not_there_is_404(client, path) -> None:
    key = uuid4()
    assert_problem(client.get(path.format(key, key)), 404, str(key))


def test_a_path_that_is_not_there_is_404(client) -> None:
    assert_problem(client.get("/api/nothing"), 404, "/api/nothing")


@pytest.mark.parametrize(
    ("query", "where", "words"),
    [
        ("limit=0", "query.limit", "greater than"),
        ("limit=1000", "query.limit", "less than"),
        ("cursor=abc", "query.cursor", "UUID"),
        ("state=fine", "query.state", "quarantined"),
        ("kind=cooked", "query.kind", "derived"),
        ("since=2026-11-22T10:00:00", "query.since", "timezone"),
        ("beamlin=imaging", "query.beamlin", "not permitted"),
    ],
)
def test_a_wrong_query_names_the_part_and_what_is_allowed(client, query, where, words) -> None:
    problem = assert_problem(client.get(f"/api/datasets?{query}"), 422, where)
    assert problem["errors"][0]["where"] == where
    assert words in problem["errors"][0]["message"]


def test_a_method_that_is_not_offered_is_405(client) -> None:
    assert_problem(client.delete("/api/datasets"), 405)


# -- runs ---------------------------------------------------------------------------------------


def ask(client, dataset_id, recipe=None, token=TOKEN, **more):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"recipe": recipe or {}, "reason": "the axis is off", "actor": "beamline staff"} | more
    return client.post(f"/api/datasets/{dataset_id}/runs", json=body, headers=headers)


def test_a_person_asks_for_a_run(fresh_client, fresh_lives) -> None:
    response = ask(fresh_client, fresh_lives.tooth, {"rotation_axis": 296})
    assert response.status_code == 202
    run = fresh_client.get(response.headers["location"]).json()
    assert run == response.json()
    assert (run["actor"], run["reason"]) == ("beamline staff", "the axis is off")
    assert (run["state"], run["version"], run["lane"]) == ("waiting", 3, "reprocess")
    assert run["parameters"] == {"rotation_axis": 296, "filter": "ramp"}
    assert fresh_client.get("/api/health").json()["outbox"] == 1


@pytest.mark.parametrize("token", [None, "", "wrong", "correct horse battery stapl", "牙"])
def test_without_the_token_nobody_asks_for_a_run(client, lives, token) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()} if token is not None else {}
    body = {"reason": "because"}
    response = client.post(f"/api/datasets/{lives.tooth}/runs", json=body, headers=headers)
    assert_problem(response, 401, "Authorization")
    assert response.headers["www-authenticate"] == "Bearer"
    assert client.get("/api/runs?state=waiting").json()["items"] == []


@pytest.mark.parametrize(
    ("recipe", "words"),
    [({"axis": 3}, "rotation_axis"), ({"filter": "cosine"}, "hann"), ({"rotation_axis": -1}, "0")],
)
def test_a_recipe_that_does_not_fit_names_what_does(client, lives, recipe, words) -> None:
    assert_problem(ask(client, lives.tooth, recipe), 422, words)
    assert client.get("/api/runs?state=waiting").json()["items"] == []


def test_a_run_needs_a_reason(client, lives) -> None:
    problem = assert_problem(ask(client, lives.tooth, reason=""), 422)
    assert problem["errors"][0]["where"] == "body.reason"


def test_only_a_valid_scan_is_reduced(client, lives) -> None:
    assert_problem(ask(client, lives.broken), 409, "quarantined")
    assert_problem(ask(client, lives.first), 409, "derived")
    assert_problem(ask(client, uuid4()), 404)


def test_a_run_shows_its_attempts_and_steps(client, lives) -> None:
    listed = client.get("/api/runs", params={"state": "completed"}).json()["items"]
    run = client.get(f"/api/runs/{listed[0]['id']}").json()
    assert run["attempt_list"][0]["host"] == "node1"
    assert run["steps"][0]["rejected"][0]["implementation"] == "cufinufft"
    assert run["result"]["dataset_id"] == str(lives.second)


# -- health -------------------------------------------------------------------------------------


def test_health_and_status(client, lives, engine) -> None:
    with engine.connect() as connection:
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    health = client.get("/api/health").json()
    assert health == {
        "status": "ok",
        "schema_version": revision,
        "outbox": 0,
        "outbox_oldest_seconds": None,
    }
    status = client.get("/api/status").json()
    assert status["quarantined"] == 1
    assert status["disks"][0]["free"] > 0


def test_metrics_for_prometheus(client, lives) -> None:
    client.get(f"/api/datasets/{lives.tooth}")
    metrics = client.get("/metrics").text
    assert 'dayseye_datasets{state="quarantined"} 1.0' in metrics
    assert 'dayseye_runs{state="completed"} 2.0' in metrics
    assert "dayseye_outbox_depth 0.0" in metrics
    assert "dayseye_disk_free_bytes{" in metrics
    route = 'method="GET",route="/api/datasets/{dataset_id}",status="200"'
    assert f"dayseye_http_request_seconds_count{{{route}}} 1.0" in metrics


def test_without_a_database_it_says_so_and_no_more() -> None:
    from fastapi.testclient import TestClient

    engine = create_engine("postgresql+psycopg2://me:geheim@127.0.0.1:1/none")
    app = create_app(engine, public_url="http://127.0.0.1", prefect_ui_url="", token=TOKEN)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        response = client.get("/api/health")
    assert_problem(response, 503, "database")
    assert "geheim" not in response.text


def test_an_unforeseen_error_shows_nothing_of_the_inside(client, monkeypatch) -> None:
    def fails(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("geheim")

    monkeypatch.setattr("catalog.queries.list_datasets", fails)
    response = client.get("/api/datasets")
    assert_problem(response, 500)
    assert "geheim" not in response.text
    assert "Traceback" not in response.text


def test_an_empty_token_is_refused(engine) -> None:
    with pytest.raises(ValueError, match="token"):
        create_app(engine, public_url="http://127.0.0.1", prefect_ui_url="", token="")


# -- who may ask --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:80", "dayseye.example"])
def test_own_host_names_are_answered(client, host) -> None:
    assert client.get("/api/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.evil.example", "[::1", "a@[b"])
def test_foreign_host_names_are_refused(client, host) -> None:
    assert_problem(client.get("/api/health", headers={"host": host}), 421, "public_url")


def test_other_sites_may_not_read_along(client) -> None:
    response = client.get("/api/health", headers={"origin": "http://evil.example"})
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert response.headers["x-content-type-options"] == "nosniff"
