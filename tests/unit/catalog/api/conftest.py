"""A small catalogue with one of everything, made through the catalogue's own functions."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine, make_url, text
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.api import create_app
from catalog.arrivals import Recorded, SightedFile, Sighting, record
from catalog.connection import connect
from catalog.runs import (
    Claim,
    OutputFile,
    StepRecord,
    claim,
    complete,
    fail,
    record_steps,
    request_run,
    set_stage,
)
from infra.postgres import EmbeddedPostgres

TOKEN = "correct horse battery staple"
PREFECT = "http://127.0.0.1:4200"
SCHEMA = {
    "type": "object",
    "properties": {
        "rotation_axis": {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}],
            "default": None,
        },
        "filter": {"enum": ["ramp", "hann"], "default": "ramp"},
    },
}


@dataclass
class World:
    """The catalogue that the tests ask, and how to add to it."""

    engine: Engine
    folder: Path

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    def publish(self) -> None:
        self.raw.mkdir()
        (self.folder / "processed").mkdir()
        with Session(self.engine) as session, session.begin():
            recipes.publish_flow(session, "ct-reduction", "ct", "1", SCHEMA)
            for beamline in ("imaging", "nano"):
                recipes.publish_beamline(
                    session,
                    id=beamline,
                    name=beamline,
                    technique="ct",
                    flow="ct-reduction",
                    folders=[self.raw],
                    output_template=f"{self.folder}/processed/{{proposal}}/{{sample}}/{{scan}}",
                )

    def land(self, name: str, **about: Any) -> Recorded:
        """Let a scan land; without more words it is complete and needs nothing."""
        content = b"raw bytes of " + name.encode()
        (self.raw / f"{name}.h5").write_bytes(content)
        file = SightedFile(
            storage=str(self.raw),
            path=f"{name}.h5",
            inner_path="",
            role="data",
            size=len(content),
            mtime_ns=1,
            fingerprint="blake2b:" + hashlib.blake2b(content, digest_size=16).hexdigest(),
            inode=7,
        )
        values: dict[str, Any] = {
            "beamline": "imaging",
            "entry_key": name,
            "name": name,
            "technique": "ct",
            "kind": "raw",
            "stage": "complete",
            "files": [file],
            "uid": f"uid of {name}",
            "proposal": "2026-0117",
            "sample": "resin",
            "detector": "200 x 256",
        }
        with Session(self.engine) as session, session.begin():
            return record(session, Sighting(**values | about))

    def begin(self, dataset_id: UUID, flow_run_id: str, *, flow: str = "ct-reduction") -> Claim:
        """Claim the run that waits for a dataset, as the flow does."""
        with Session(self.engine) as session:
            dispatch = session.connection().exec_driver_sql(
                "SELECT d.id FROM dispatch d JOIN run r ON r.id = d.run_id"
                " WHERE r.dataset_id = %s AND d.flow_run_id IS NULL ORDER BY d.id",
                (str(dataset_id),),
            )
            dispatch_id = dispatch.scalar()
        return claim(
            self.engine,
            dataset_id=dataset_id,
            flow=flow,
            parameters={},
            dispatch_id=dispatch_id,
            flow_run_id=flow_run_id,
            reason="",
            host="node1",
            pid=4711,
        )

    def finish(self, held: Claim, verdict: str = "ok", *reasons: str) -> UUID:
        """Complete a run with two files, and return the derived dataset."""
        set_stage(self.engine, held, "reconstruct", {"axis": 295.3})
        step = StepRecord(
            stage="reconstruct",
            algorithm="ct.reconstruct",
            version="1",
            implementation="finufft",
            device="cpu",
            packages={"finufft": "2.5.1"},
            parameters={"filter": "ramp"},
            rejected=[{"implementation": "cufinufft", "reason": "no GPU on this machine"}],
            calls=8,
            seconds=2.5,
        )
        record_steps(self.engine, held, [step])
        files = {"slice_z.png": picture(), "volume.h5": b"a volume"}

        def publish() -> None:
            held.output_folder.mkdir(parents=True)
            for name, content in files.items():
                (held.output_folder / name).write_bytes(content)

        return complete(
            self.engine,
            held,
            outputs=[output(name, content) for name, content in files.items()],
            publish=publish,
            verdict=verdict,
            reasons=list(reasons),
            quality={"rotation_axis": {"value": 295.3125, "unit": "px"}, "confidence": 0.9},
            metadata={"shape": [2, 8, 8]},
        )

    def again(self, dataset_id: UUID, **overrides: Any) -> UUID:
        with Session(self.engine) as session, session.begin():
            run = request_run(
                session, dataset_id, overrides, actor="beamline staff", reason="axis is off"
            )
            session.flush()
            return run.id


def picture() -> bytes:
    stream = BytesIO()
    Image.new("L", (8, 8), 128).save(stream, "PNG")
    return stream.getvalue()


def output(name: str, content: bytes) -> OutputFile:
    is_picture = name.endswith(".png")
    return OutputFile(
        path=name,
        role="preview" if is_picture else "volume",
        size=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        media_type="image/png" if is_picture else "application/x-hdf5",
    )


@dataclass
class Lives:
    """The datasets of the world, by what became of them."""

    tooth: UUID
    flats: UUID
    broken: UUID
    needy: UUID
    failed: UUID
    first: UUID
    second: UUID


@pytest.fixture
def world(catalog_engine: Engine, tmp_path: Path) -> World:
    """A catalogue of the test's own, with two beamlines and nothing landed."""
    world = World(catalog_engine, tmp_path)
    world.publish()
    return world


@pytest.fixture(scope="session")
def world_of() -> Callable[[Engine, Path], World]:
    """Make a world over a catalogue that a test module keeps."""

    def make(engine: Engine, folder: Path) -> World:
        world = World(engine, folder)
        world.publish()
        return world

    return make


@pytest.fixture
def fresh_lives(world: World) -> Lives:
    """Datasets that the test may change."""
    return live(world)


@pytest.fixture
def fresh_client(catalog_engine: Engine) -> Iterator[TestClient]:
    """The API over the test's own catalogue."""
    yield from serve(catalog_engine)


@dataclass
class Story:
    """A catalogue that all tests read and none changes."""

    world: World
    lives: Lives


@pytest.fixture(scope="session")
def story(
    postgres: EmbeddedPostgres,
    admin_engine: Engine,
    catalog_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Story]:
    statement = f"CREATE DATABASE story TEMPLATE {catalog_template} OWNER dayseye_owner"
    with admin_engine.connect() as connection:
        connection.execute(text(statement))
    url = make_url(postgres.dsn("catalog", "app")).set(database="story")
    engine = connect(url.render_as_string(hide_password=False))
    world = World(engine, tmp_path_factory.mktemp("story"))
    world.publish()
    yield Story(world, live(world))
    engine.dispose()


@pytest.fixture
def lives(story: Story) -> Lives:
    return story.lives


@pytest.fixture
def engine(story: Story) -> Engine:
    return story.world.engine


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient]:
    yield from serve(engine)


def live(world: World) -> Lives:
    """Let one scan be reduced twice, one be broken, one wait, and the run of one fail."""
    flats = world.land("flats", kind="calibration", calibration_kinds=("flat", "dark"))
    tooth = world.land("tooth", sample="牙齿 3", needs=("flat", "dark"))
    reason = "broken.h5 is not an HDF5 file: it begins with 'hello'; copy it again"
    broken = world.land("broken", stage="broken", reason=reason, proposal=None, sample=None)
    needy = world.land("needy", needs=("flat",), detector="2048 x 2048")
    failed = world.land("failed", beamline="nano", proposal="2026-0200")
    fail(world.engine, world.begin(failed.dataset_id, "flow-run-0"), "The disk is full")
    first = world.finish(
        world.begin(tooth.dataset_id, "flow-run-1"), "check", "The two methods differ by 3.2 px"
    )
    world.again(tooth.dataset_id, rotation_axis=295.3)
    second = world.finish(world.begin(tooth.dataset_id, "flow-run-2"))
    return Lives(
        tooth=tooth.dataset_id,
        flats=flats.dataset_id,
        broken=broken.dataset_id,
        needy=needy.dataset_id,
        failed=failed.dataset_id,
        first=first,
        second=second,
    )


def serve(engine: Engine) -> Iterator[TestClient]:
    app = create_app(
        engine,
        public_url="http://dayseye.example:8000",
        prefect_ui_url=PREFECT,
        token=TOKEN,
        anonymous="all",
    )
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client
