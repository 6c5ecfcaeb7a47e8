"""Datasets with real bytes on the disk, a place for copies, and beamlines that may be purged."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from catalog import recipes, runs
from catalog.arrivals import SightedFile, Sighting, record
from catalog.custody import Place
from catalog.models import Dataset, Dispatch, LifecycleEvent

SCHEMA = {"type": "object", "properties": {}}
DAY = timedelta(days=1)


@dataclass
class House:
    """A catalogue, its raw and processed folders, and a place for copies."""

    engine: Engine
    folder: Path
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        for each in (self.raw, self.processed, self.copies):
            each.mkdir()
        self.place = Place(str(self.copies))
        with Session(self.engine) as session, session.begin():
            recipes.publish_flow(session, "ct", "ct", "1", SCHEMA)
            recipes.publish_beamline(
                session,
                id="imaging",
                name="Imaging",
                technique="ct",
                flow="ct",
                folders=[self.raw],
                output_template=f"{self.processed}/{{proposal}}/{{scan}}",
            )

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def processed(self) -> Path:
        return self.folder / "processed"

    @property
    def copies(self) -> Path:
        return self.folder / "copies"

    def open_place(self, address: str) -> Place:
        return Place(address)

    def may_purge(self, *, derived: timedelta | None = None, raw: timedelta | None = None) -> None:
        with self.engine.begin() as connection:
            connection.execute(
                text("UPDATE beamline SET purge_derived_after = :derived, purge_raw_after = :raw"),
                {"derived": derived, "raw": raw},
            )

    def land(self, name: str, content: bytes = b"raw bytes", inner: str = "") -> UUID:
        path = self.raw / f"{name}.h5"
        path.write_bytes(content)
        return self.see(name, [self.sighted(path, "data", inner)], inner)

    def land_series(self, name: str, count: int = 5) -> UUID:
        folder = self.raw / name
        folder.mkdir()
        for number in range(count):
            (folder / f"proj_{number:04d}.tif").write_bytes(f"image {number}".encode())
        return self.see(name, [self.sighted(folder, "series")])

    def see(self, name: str, files: list[SightedFile], inner: str = "") -> UUID:
        sighting = Sighting(
            beamline="imaging",
            entry_key=f"{name}{inner}",
            name=f"{name}{inner}",
            technique="ct",
            kind="raw",
            stage="complete",
            files=files,
            inner_path=inner,
        )
        with Session(self.engine) as session, session.begin():
            return record(session, sighting).dataset_id

    def sighted(self, path: Path, role: str, inner: str = "") -> SightedFile:
        members = sorted(path.iterdir()) if path.is_dir() else [path]
        content = b"".join(each.read_bytes() for each in members)
        return SightedFile(
            storage=str(self.raw),
            path=path.name,
            inner_path=inner,
            role=role,
            size=len(content),
            mtime_ns=max(each.stat().st_mtime_ns for each in members),
            fingerprint=f"{hashlib.sha256(content).hexdigest()}{inner}",
            inode=path.stat().st_ino,
            count=len(members),
        )

    def reduce(self, dataset: UUID, flow_run: str = "flow-run-1") -> UUID:
        """Complete the run that waits for a dataset, with two files."""
        with Session(self.engine) as session:
            newest = session.scalars(select(Dispatch.id).order_by(Dispatch.id.desc())).first()
        held = runs.claim(
            self.engine,
            dataset_id=dataset,
            flow="ct",
            parameters={},
            dispatch_id=newest,
            flow_run_id=flow_run,
            reason="",
            host="here",
            pid=1,
        )
        files = {"volume.h5": b"a volume", "pictures/slice.png": b"a picture"}

        def publish() -> None:
            for name, content in files.items():
                path = held.output_folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

        return runs.complete(
            self.engine,
            held,
            outputs=[
                runs.OutputFile(
                    name, "volume", len(content), hashlib.sha256(content).hexdigest(), "x/y"
                )
                for name, content in files.items()
            ],
            publish=publish,
            verdict="ok",
            reasons=[],
            quality={},
            metadata={},
        )

    def dataset(self, dataset: UUID) -> Dataset:
        with Session(self.engine, expire_on_commit=False) as session:
            return session.get_one(Dataset, dataset)

    def events(self, dataset: UUID, level: str | None = None) -> list[str]:
        with Session(self.engine) as session:
            wanted = select(LifecycleEvent).where(LifecycleEvent.dataset_id == dataset)
            rows = session.scalars(wanted.order_by(LifecycleEvent.id)).all()
        return [row.event for row in rows if level in (None, row.level)]

    def alarm(self, dataset: UUID) -> str:
        with Session(self.engine) as session:
            wanted = select(LifecycleEvent).where(
                LifecycleEvent.dataset_id == dataset, LifecycleEvent.level == "alarm"
            )
            return str(session.scalars(wanted.order_by(LifecycleEvent.id.desc())).first().reason)


@pytest.fixture
def house(catalog_engine: Engine, tmp_path: Path) -> House:
    return House(catalog_engine, tmp_path)


@pytest.fixture
def rot() -> Callable[[Path, int], None]:
    """Flip one bit of a file, as a disk does: size and times stay."""
    import os

    def flip(path: Path, at: int = 0) -> None:
        seen = path.stat()
        with path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    return flip
