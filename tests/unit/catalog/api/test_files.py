"""The bytes of results, and of nothing else."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from catalog import queries
from catalog.api.files import resolve
from catalog.api.problems import ProblemError
from catalog.queries import ServedFile


def files_of(engine, dataset_id: UUID):
    with Session(engine) as session:
        detail = queries.dataset_detail(session, dataset_id)
    assert detail is not None
    return {file.role: file for file in detail.files}


def content(dataset_id, file_id) -> str:
    return f"/api/datasets/{dataset_id}/files/{file_id}/content"


def test_a_picture_is_shown_in_place_and_kept(client, lives, engine) -> None:
    preview = files_of(engine, lives.second)["preview"]
    response = client.get(preview.content_url)
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"].startswith("inline")
    assert "immutable" in response.headers["cache-control"]
    assert response.content.startswith(b"\x89PNG")
    again = client.get(preview.content_url, headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_volume_is_a_download_in_ranges(client, lives, engine) -> None:
    volume = files_of(engine, lives.second)["volume"]
    response = client.get(volume.content_url, headers={"range": "bytes=2-"})
    assert response.status_code == 206
    assert response.content == b"volume"
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["content-type"] == "application/octet-stream"


def test_raw_files_are_not_served(client, lives, engine) -> None:
    raw = files_of(engine, lives.tooth)["data"]
    response = client.get(content(lives.tooth, raw.id))
    assert response.status_code == 403
    assert "derived" in response.json()["detail"]
    assert b"raw bytes" not in response.content


def test_a_file_is_asked_for_under_its_own_dataset(client, lives, engine) -> None:
    preview = files_of(engine, lives.second)["preview"]
    assert client.get(content(lives.first, preview.id)).status_code == 404
    raw = files_of(engine, lives.tooth)["data"]
    assert client.get(content(lives.second, raw.id)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/datasets/{}/files/..%2F..%2Fraw%2Ftooth.h5/content",
        "/api/datasets/{}/files/../../raw/tooth.h5/content",
        "/static/..%2f..%2fpages.py",
        "/static/../pages.py",
    ],
)
def test_a_path_is_never_an_address(client, lives, path) -> None:
    assert client.get(path.format(lives.second)).status_code in (404, 422)


def test_a_file_that_is_gone_says_so(fresh_client, world, fresh_lives, catalog_engine) -> None:
    preview = files_of(catalog_engine, fresh_lives.second)["preview"]
    (world.folder / "processed" / preview.path).unlink()
    response = fresh_client.get(preview.content_url)
    assert response.status_code == 410
    assert "rerun" in response.json()["detail"]


def test_a_link_out_of_the_storage_is_not_followed(
    fresh_client, world, fresh_lives, catalog_engine
) -> None:
    preview = files_of(catalog_engine, fresh_lives.second)["preview"]
    inside = world.folder / "processed" / preview.path
    inside.unlink()
    inside.symlink_to(world.raw / "tooth.h5")
    response = fresh_client.get(preview.content_url)
    assert response.status_code == 404
    assert b"raw bytes" not in response.content


@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "/etc/passwd"])
def test_a_row_that_leads_out_of_its_storage_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("geheim")
    file = ServedFile(
        id=UUID(int=1),
        kind="derived",
        storage="processed",
        root=str(tmp_path / "processed"),
        path=path,
        size=1,
        digest=None,
        media_type=None,
    )
    with pytest.raises(ProblemError, match="not inside its storage"):
        resolve(file)


def test_the_database_refuses_such_rows_too(engine, lives) -> None:
    statement = text("UPDATE dataset_file SET path = '../secret' WHERE dataset_id = :id")
    with (
        engine.connect() as connection,
        pytest.raises(Exception, match="ck_dataset_file_path"),
    ):
        connection.execute(statement, {"id": lives.second})
