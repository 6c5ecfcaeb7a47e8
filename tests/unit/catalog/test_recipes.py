from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.errors import CatalogError, InvalidParameters, NotFound
from catalog.models import Beamline, FlowSchema, Storage
from catalog.runs.opening import path_part


def publish(session: Session, **changes: Any) -> None:
    values: dict[str, Any] = {
        "id": "imaging",
        "name": "Imaging",
        "technique": "ct",
        "flow": "ct",
        "folders": [Path("/data/raw")],
        "output_template": "/data/processed/{scan}",
    }
    recipes.publish_beamline(session, **{**values, **changes})


def test_the_users_value_wins_over_the_beamlines_over_the_flows(session: Session) -> None:
    assert recipes.effective_parameters(session, "imaging", {"padding": 3}) == {
        "rotation_axis": None,
        "filter": "hann",
        "padding": 3,
    }


def test_trees_are_merged() -> None:
    base = {"a": {"b": 1, "c": [1]}, "d": 1}
    assert recipes.merged(base, {"a": {"b": 2}}) == {"a": {"b": 2, "c": [1]}, "d": 1}
    assert base == {"a": {"b": 1, "c": [1]}, "d": 1}


def test_publishing_again_changes_what_the_settings_changed(session: Session) -> None:
    publish(session, name="Imaging 2", folders=[Path("/data/raw"), Path("/data/more")])
    assert session.get_one(Beamline, "imaging", populate_existing=True).name == "Imaging 2"
    roots = session.scalars(select(Storage.root).order_by(Storage.root)).all()
    assert roots == ["/data/more", "/data/processed", "/data/raw"]


def test_one_version_of_a_flow_is_current(session: Session) -> None:
    recipes.publish_flow(session, "ct", "ct", "2", {"properties": {}})
    current = select(FlowSchema.version).where(FlowSchema.is_current)
    assert session.scalars(current).all() == ["2"]
    recipes.publish_flow(session, "ct", "ct", "1", {"properties": {}})
    assert session.scalars(current).all() == ["1"]


def test_a_beamlines_recipe_must_fit(session: Session) -> None:
    with pytest.raises(InvalidParameters, match="there are: filter, padding, rotation_axis"):
        publish(session, recipe={"centre": 3})


@pytest.mark.parametrize(
    "template", ["/data/{proposal}", "data/{scan}", "/data/{scan}/{user}", "/data/scan"]
)
def test_a_template_must_tell_scans_apart(session: Session, template: str) -> None:
    with pytest.raises(CatalogError, match="must be an absolute folder with"):
        publish(session, output_template=template)


def test_an_unknown_storage_is_a_sentence(session: Session) -> None:
    with pytest.raises(NotFound, match="No storage 'tape'"):
        recipes.storage(session, "tape")


def test_a_storage_is_found_by_its_folder_however_it_is_written(session: Session) -> None:
    assert recipes.storage(session, "/data/raw/").id == recipes.storage(session, "/data/raw").id


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("tooth 1", "tooth_1"),
        ("样品/1", "样品_1"),
        ("../../etc", "_.._etc"),
        ("..", "unassigned"),
        ("", "unassigned"),
        (".hidden", "hidden"),
        ("a\nb", "a_b"),
    ],
)
def test_a_name_becomes_one_safe_part_of_a_path(name: str, part: str) -> None:
    assert path_part(name) == part
