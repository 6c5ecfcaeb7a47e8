"""How the platform stands, as the API, the command line and the metrics say it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from catalog.queries.views import View


class Outbox(View):
    """What Prefect has not taken yet."""

    depth: int
    oldest_seconds: float | None


class Waiting(View):
    """The scan that waits longest."""

    dataset_id: UUID
    name: str
    state: str
    since: datetime


class Disk(View):
    """Room on a disk."""

    storage: str = Field(description="the folder that all storages on this disk have in common")
    free: int = Field(description="bytes")
    total: int = Field(description="bytes")


class TriggerState(View):
    """One way of hearing about a beamline's data."""

    kind: str = Field(examples=["files", "bluesky", "epics", "http", "kafka"])
    state: str = Field(examples=["listening", "silent", "unreachable", "off"])
    heard_at: datetime | None = Field(default=None, description="when it was last heard of")
    arrivals: int = Field(description="how many it has announced")
    refused: int = Field(description="messages that were not taken, such as pickles")
    note: str | None = None


class BeamlineState(View):
    """How a beamline stands."""

    id: str = Field(examples=["imaging"])
    name: str
    paused_at: datetime | None = Field(
        default=None, description="since then, what lands is registered and not dispatched"
    )
    paused_by: str | None = None
    pause_reason: str | None = None
    backlog: int = Field(description="runs that have not started")
    running: int
    last_arrival: datetime | None = Field(
        default=None, description="when its newest dataset was registered"
    )
    triggers: list[TriggerState] = Field(default=[])


class Reason(View):
    """Why dispatches that are due were not sent, and how many wait for it."""

    waits_for: str = Field(examples=["bl07 is paused by staff: the detector is being changed"])
    dispatches: int


class Status(View):
    """How the platform stands."""

    at: datetime
    waiting: int = Field(description="runs that have not started")
    running: int
    failed: int
    quarantined: int = Field(description="datasets that cannot be trusted")
    waiting_for_calibration: int
    incomplete: int
    datasets: dict[str, int] = Field(
        description="by state; above 20,000 the database's own estimate"
    )
    runs: dict[str, int] = Field(description="by state; above 20,000 the database's own estimate")
    outbox: int = Field(description="dispatches that Prefect has not taken yet")
    outbox_oldest_seconds: float | None = None
    oldest_waiting: Waiting | None = None
    inbox: int = Field(default=0, description="reports of arrivals that were not looked at yet")
    beamlines: list[BeamlineState] = Field(default=[])
    waits_for: list[Reason] = Field(default=[])
    copies_damaged: int = Field(
        default=0, description="copies whose bytes are not those of the catalogue any more"
    )
    alarms: int = Field(default=0, description="events of the last 24 hours that need a person")
    notifications: int = Field(default=0, description="messages that were not sent yet")
    notification_error: str | None = Field(
        default=None, description="why the oldest of them could not be sent"
    )
    disks: list[Disk] = Field(default=[])
