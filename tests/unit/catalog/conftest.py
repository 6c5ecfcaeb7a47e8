"""A beamline, and sightings at it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import recipes, runs
from catalog.arrivals import Recorded, SightedFile, Sighting, record
from catalog.models import Dispatch
from catalog.runs import Claim

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "rotation_axis": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
        "filter": {"enum": ["ramp", "hann"], "default": "ramp"},
        "padding": {"type": "integer", "minimum": 1, "maximum": 4, "default": 2},
    },
}
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def engine(catalog_engine: Engine) -> Engine:
    """A catalogue with the flow and the beamline published."""
    with Session(catalog_engine) as session, session.begin():
        publish(session)
    return catalog_engine


def publish(session: Session, **changes: Any) -> None:
    recipes.publish_flow(session, "ct", "ct", "1", SCHEMA)
    values: dict[str, Any] = {
        "id": "imaging",
        "name": "Imaging",
        "technique": "ct",
        "flow": "ct",
        "folders": [Path("/data/raw")],
        "output_template": "/data/processed/{proposal}/{sample}/{scan}",
        "recipe": {"filter": "hann"},
    }
    recipes.publish_beamline(session, **{**values, **changes})


@pytest.fixture
def a_file() -> Callable[..., SightedFile]:
    """Describe a file of the beamline."""
    return file


@pytest.fixture
def a_sighting() -> Callable[..., Sighting]:
    """Describe a sighting at the beamline."""
    return sighting


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def sighting(name: str = "tooth", **changes: Any) -> Sighting:
    values: dict[str, Any] = {
        "beamline": "imaging",
        "entry_key": name,
        "name": name,
        "technique": "ct",
        "kind": "raw",
        "stage": "complete",
        "files": [file(name)],
        "started_at": START,
        "detector": "2048 x 2048",
    }
    return Sighting(**{**values, **changes})


def file(name: str = "tooth", **changes: Any) -> SightedFile:
    values: dict[str, Any] = {
        "storage": "/data/raw",
        "path": f"{name}.h5",
        "inner_path": "",
        "role": "data",
        "size": 1000,
        "mtime_ns": 1,
        "fingerprint": f"print of {name}",
        "inode": 7,
    }
    return SightedFile(**{**values, **changes})


@pytest.fixture
def sight(engine: Engine) -> Callable[..., Recorded]:
    """Record a sighting in a transaction of its own."""

    def see(name: str = "tooth", **changes: Any) -> Recorded:
        with Session(engine) as session, session.begin():
            return record(session, sighting(name, **changes))

    return see


@pytest.fixture
def claim_of(engine: Engine) -> Callable[..., Claim]:
    """Claim the newest dispatch of a dataset, as its flow run would."""

    def claim(dataset_id: UUID, flow_run_id: str = "flow-run-1", **changes: Any) -> Claim:
        with Session(engine) as session:
            newest = session.scalars(select(Dispatch.id).order_by(Dispatch.id.desc())).first()
        values: dict[str, Any] = {
            "dataset_id": dataset_id,
            "flow": "ct",
            "parameters": {},
            "dispatch_id": newest,
            "flow_run_id": flow_run_id,
            "reason": "",
            "host": "here",
            "pid": 1,
        }
        return runs.claim(engine, **{**values, **changes})

    return claim


@pytest.fixture
def finish(engine: Engine) -> Callable[..., UUID]:
    """Complete a claim with one output."""

    def complete(claim: Claim, **changes: Any) -> UUID:
        values: dict[str, Any] = {
            "outputs": [runs.OutputFile("volume.h5", "volume", 10, "ab12", "application/x-hdf5")],
            "publish": lambda: None,
            "verdict": "ok",
            "reasons": [],
            "quality": {"confidence": 0.9},
            "metadata": {"voxel_size": 1e-6},
        }
        return runs.complete(engine, claim, **{**values, **changes})

    return complete
