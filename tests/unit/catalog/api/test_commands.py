"""The commands about access and provenance say and do the same as the API."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from catalog.access import known_by
from catalog.errors import CatalogError, IllegalMove, NotFound
from infra.cli import app

# the fixtures `world` and `fresh_lives` stand in conftest.py


@pytest.fixture
def dayseye(tmp_path: Path, catalog_dsn: str, world, fresh_lives) -> Callable[..., str]:
    """Call a command on a catalogue of the test's own; returns what it printed."""
    settings = tmp_path / "dayseye.toml"
    settings.write_text(
        f'[services]\ndsn = "{catalog_dsn}"\napplication_dsn = "{catalog_dsn}"\n'
        f'prefect_dsn = "postgresql+asyncpg://nobody@127.0.0.1:1/none"\n'
    )
    (tmp_path / ".dayseye").mkdir()

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["--settings", str(settings), *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return call


def test_tokens_and_grants(dayseye, catalog_engine) -> None:
    secret = dayseye("token", "create", "li.wei", "--days", "30").strip().splitlines()[-1]
    dayseye("grant", "give", "li.wei", "2026-0117", "--level", "write")
    with Session(catalog_engine) as session:
        viewer = known_by(session, secret)
        assert viewer is not None
        assert list(viewer.grants.values()) == ["write"]
    (grant,) = json.loads(dayseye("grant", "list", "--json"))
    assert grant["granted_by"].startswith("cli:")
    (token,) = json.loads(dayseye("token", "list", "--json"))
    assert "token" not in token
    dayseye("grant", "revoke", "li.wei", "2026-0117")
    dayseye("token", "revoke", token["id"])
    with Session(catalog_engine) as session:
        assert known_by(session, secret) is None
    assert "li.wei" in dayseye("principal", "disable", "li.wei")
    assert json.loads(dayseye("principal", "list", "--json"))[0]["disabled_at"]
    dayseye("principal", "enable", "li.wei")


def test_visibility_and_verdicts(dayseye, fresh_lives) -> None:
    (change,) = json.loads(
        dayseye("embargo", "tooth", "--reason", "thesis", "--until", "2030-01-01", "--json")
    )
    assert change["embargo_until"].startswith("2030-01-01T00:00:00")
    with pytest.raises(IllegalMove, match="overruled"):
        dayseye("publish", str(fresh_lives.first), "--reason", "paper")
    found = json.loads(
        dayseye("verdict", str(fresh_lives.first), "ok", "--reason", "seen", "--json")
    )
    assert [each["verdict"] for each in found] == ["ok", "check"]
    changes = json.loads(
        dayseye("publish", "tooth", "--reason", "paper", "--with-results", "--json")
    )
    assert {each["visibility"] for each in changes} == {"public"}
    assert "proprietary" in dayseye("proprietary", "needy", "--reason", "contract")
    with pytest.raises(CatalogError, match="why"):
        dayseye("verdict", str(fresh_lives.first), "bad")


def test_where_a_result_comes_from(dayseye, fresh_lives, tmp_path) -> None:
    assert "registered" in dayseye("history", "tooth")
    tree = dayseye("lineage", str(fresh_lives.second))
    assert "comes from" in tree
    assert json.loads(dayseye("lineage", "tooth", "--json"))["edges"]
    dayseye("crate", "tooth", str(tmp_path / "crate"), "--files")
    assert "v002" in ROCrate(tmp_path / "crate").root_dataset["name"]
    assert (tmp_path / "crate/result/volume.h5").read_bytes() == b"a volume"
    dayseye("prov", "tooth", str(tmp_path / "prov.json"))
    assert json.loads((tmp_path / "prov.json").read_text())["wasGeneratedBy"]
    with pytest.raises(NotFound, match="no result"):
        dayseye("prov", "broken")
