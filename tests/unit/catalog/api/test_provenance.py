"""What leaves as provenance: written, read back by the format's own library, and checked."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from prov.model import ProvDocument
from rocrate.rocrate import ROCrate
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.access import ViewedSession, Viewer
from catalog.provenance import build_crate, facts_of, prov_json, write_crate

URL = "http://dayseye.example:8000"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/ro/wfrun/provenance/0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


@pytest.fixture
def facts(engine: Engine, lives):
    with Session(engine) as session:
        yield facts_of(session, lives.tooth)


@pytest.fixture
def crate(facts, tmp_path: Path) -> ROCrate:
    """The crate of the current result, written and read back."""
    write_crate(build_crate(facts, URL), tmp_path / "crate")
    return ROCrate(tmp_path / "crate")


def of_type(crate: ROCrate, kind: str) -> list[Any]:
    return [each for each in crate.get_entities() if kind in listed(each.type)]


# -- the profile's MUSTs -----------------------------------------------------------------------


def test_it_says_which_profiles_it_follows(crate: ROCrate) -> None:
    assert {each.id for each in listed(crate.root_dataset["conformsTo"])} == PROFILES
    descriptor = crate.metadata
    assert [getattr(each, "id", each) for each in listed(descriptor["conformsTo"])] == [
        "https://w3id.org/ro/crate/1.1",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    ]
    for name in ("name", "description", "datePublished", "license"):
        assert crate.root_dataset[name], name


def test_the_workflow_is_the_main_entity(crate: ROCrate) -> None:
    workflow = crate.mainEntity
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"} <= set(workflow.type)
    assert workflow["programmingLanguage"].type == "ComputerLanguage"
    tools = listed(workflow["hasPart"])
    assert {each.type for each in tools} == {"SoftwareApplication"}
    for each in (*listed(workflow["input"]), *listed(workflow["output"])):
        assert each.type == "FormalParameter"
        assert each["additionalType"]
    for step in listed(workflow["step"]):
        assert step.type == "HowToStep"
        assert step["workExample"] in tools


def test_every_tool_execution_is_an_action(crate: ROCrate) -> None:
    workflow = crate.mainEntity
    tools = listed(workflow["hasPart"])
    mentioned = listed(crate.root_dataset["mentions"])
    actions = of_type(crate, "CreateAction")
    assert all(action in mentioned for action in actions)
    runs = [action for action in actions if action["instrument"] == workflow]
    assert len(runs) == 1
    executed = [action for action in actions if action["instrument"] in tools]
    assert len(executed) + 1 == len(actions)
    controls = of_type(crate, "ControlAction")
    assert {each["object"].id for each in controls} == {each.id for each in executed}
    assert all(each["instrument"] in listed(workflow["step"]) for each in controls)
    (organised,) = of_type(crate, "OrganizeAction")
    assert organised["result"] == runs[0]
    assert organised["instrument"].type == "SoftwareApplication"
    assert listed(organised["object"]) == controls
    for action in executed:
        for usage in listed(action["resourceUsage"]):
            assert usage["propertyID"]


def test_every_reference_leads_somewhere(crate: ROCrate, tmp_path: Path) -> None:
    graph = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    known = {entity["@id"] for entity in graph}
    outside = ("http://schema.org/", "https://www.prefect.io", "https://w3id.org/ro/crate/")

    def references(value: Any):
        if isinstance(value, dict):
            if set(value) == {"@id"}:
                yield value["@id"]
            else:
                for each in value.values():
                    yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    for entity in graph:
        missing = {key for key in references(entity) if key not in known}
        assert not {key for key in missing if not key.startswith(outside)}
    assert len(known) == len(graph)


# -- what it tells -----------------------------------------------------------------------------


def test_it_tells_what_went_in_and_came_out(crate: ROCrate, lives, facts) -> None:
    run = next(a for a in of_type(crate, "CreateAction") if a["instrument"] == crate.mainEntity)
    used = {each.id for each in listed(run["object"])}
    assert {f"{URL}/datasets/{lives.tooth}/", f"{URL}/datasets/{lives.flats}/"} <= used
    values = {each["name"]: each["value"] for each in of_type(crate, "PropertyValue")}
    assert values["rotation_axis"] == 295.3
    assert values["host"] == "node1"
    made = {Path(each["name"]).name: each for each in listed(run["result"])}
    assert set(made) == {"slice_z.png", "volume.h5"}
    assert made["volume.h5"]["sha256"] == hashlib.sha256(b"a volume").hexdigest()
    assert made["volume.h5"].id.startswith(f"{URL}/api/datasets/{lives.second}/files/")
    assert run["agent"].type == "Person"
    assert run["agent"]["name"] == "beamline staff"
    (review,) = of_type(crate, "Review")
    assert review["name"] == "verdict: ok"


def test_raw_files_have_their_digests(crate: ROCrate, lives) -> None:
    scan = crate.dereference(f"{URL}/datasets/{lives.tooth}/")
    (file,) = listed(scan["hasPart"])
    assert file["identifier"].startswith("blake2b:")
    assert file["alternateName"] == "tooth.h5"


def test_pictures_lie_in_it_and_volumes_on_demand(facts, tmp_path: Path) -> None:
    write_crate(build_crate(facts, URL), tmp_path / "a")
    write_crate(build_crate(facts, URL, with_files=True), tmp_path / "b.zip")
    names = {path.name for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert names == {"ro-crate-metadata.json", "ct-reduction.json", "slice_z.png"}
    with zipfile.ZipFile(tmp_path / "b.zip") as zipped:
        assert zipped.read("result/volume.h5") == b"a volume"


def test_what_the_viewer_may_not_see_is_not_named(engine: Engine, lives, story) -> None:
    with Session(engine) as session:
        proposal = facts_of(session, lives.tooth).result.dataset.proposal_id
    # the flats carry the same proposal here: a viewer of another one sees nothing at all
    with ViewedSession(engine, Viewer("li", grants={proposal: "read"})) as session:
        assert facts_of(session, lives.tooth) is not None
    with ViewedSession(engine, Viewer("stranger")) as session:
        assert facts_of(session, lives.tooth) is None


def test_a_scan_without_a_result_has_none(engine: Engine, lives) -> None:
    with Session(engine) as session:
        assert facts_of(session, lives.broken) is None


# -- PROV --------------------------------------------------------------------------------------


def test_prov_is_read_back(facts, lives) -> None:
    text = prov_json(facts, URL)
    read = json.loads(text)
    assert set(read["entity"]) >= {f"dataset:{lives.tooth}", f"dataset:{lives.second}"}
    document = ProvDocument.deserialize(content=text, format="json")
    kinds = {type(record).__name__ for record in document.get_records()}
    assert {"ProvEntity", "ProvActivity", "ProvAgent", "ProvGeneration", "ProvUsage"} <= kinds
    assert document == ProvDocument.deserialize(content=document.serialize(), format="json")


# -- over the API ------------------------------------------------------------------------------


def test_over_the_api(client, lives, tmp_path: Path) -> None:
    response = client.get(f"/api/datasets/{lives.first}/crate")
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as zipped:
        zipped.extractall(tmp_path / "crate")
    assert "v001" in ROCrate(tmp_path / "crate").root_dataset["name"]
    prov = client.get(f"/api/datasets/{lives.tooth}/prov").json()
    assert f"dataset:{lives.second}" in prov["entity"]
    for path in ("crate", "prov"):
        assert client.get(f"/api/datasets/{lives.broken}/{path}").status_code == 404


def test_the_history_of_a_dataset_in_one_query(client, engine, lives) -> None:
    from sqlalchemy import event

    history = client.get(f"/api/datasets/{lives.tooth}/history").json()
    names = [each["event"] for each in history]
    assert names[0] == "registered"
    assert names.count("completed") == 2
    assert history == sorted(history, key=lambda each: each["at"])
    assert client.get(f"/api/datasets/{lives.second}/history").json()[0]["event"] == "registered"
    asked: list[str] = []
    listener = lambda *arguments: asked.append(arguments[2])  # noqa: E731
    event.listen(engine, "before_cursor_execute", listener)
    try:
        client.get(f"/api/datasets/{lives.tooth}/history")
    finally:
        event.remove(engine, "before_cursor_execute", listener)
    assert len([each for each in asked if "lifecycle_event" in each]) == 1
