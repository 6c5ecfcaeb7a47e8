"""Whether the platform is well, for people and for machines that watch it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from catalog import queries
from catalog.access import EVERYTHING
from catalog.api.problems import responses
from catalog.api.security import OperatorDep
from catalog.api.service import ServiceDep
from catalog.queries import Disk, Status, Storage

router = APIRouter(prefix="/api", tags=["platform"])


class Health(BaseModel):
    """What a load balancer or a supervisor wants to know."""

    status: Literal["ok"] = "ok"
    schema_version: str | None = Field(description="revision of the catalogue's schema")
    outbox: int = Field(description="dispatches that Prefect has not taken yet")
    outbox_oldest_seconds: float | None = Field(
        description="age of the oldest of them; growing means that Prefect is down"
    )


@router.get("/health", responses=responses(HTTPStatus.SERVICE_UNAVAILABLE))
def get_health(service: ServiceDep) -> Health:
    """Say whether the catalogue answers, and whether work flows out of it."""
    with service.snapshot(EVERYTHING) as session:
        outbox = queries.outbox(session)
        revision = queries.schema_version(session)
    return Health(
        schema_version=revision,
        outbox=outbox.depth,
        outbox_oldest_seconds=outbox.oldest_seconds,
    )


@router.get("/status", responses=responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN))
def get_status(service: ServiceDep, viewer: OperatorDep) -> Status:
    """Count what waits, runs, failed and stands in quarantine."""
    with service.snapshot(EVERYTHING) as session:
        return queries.status(session, disks=measure(queries.storages(session)))


def measure(storages: list[Storage]) -> list[Disk]:
    """Return the room on the disks behind the storages that can be reached from here."""
    roots: dict[int, list[str]] = {}
    for storage in storages:
        # another host's storage is that host's to measure
        with suppress(OSError):
            roots.setdefault(Path(storage.root).stat().st_dev, []).append(storage.root)
    disks: list[Disk] = []
    for folders in roots.values():
        usage = shutil.disk_usage(folders[0])
        disks.append(Disk(storage=os.path.commonpath(folders), free=usage.free, total=usage.total))
    return disks
