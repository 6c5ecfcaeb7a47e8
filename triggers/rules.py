"""The declared rules of a beamline: which data are what, how they arrive, how long they stay."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Grouping = Literal["file", "entry", "folder"]
Known = Literal["proposal", "visit", "sample", "scan"]


class Part(BaseModel):
    """A table of a beamline: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Batch(Part):
    """Small quick scans that are reduced several at a time, in one flow run."""

    count: int = Field(default=20, ge=2, le=1000, description="So many at most in one run.")
    seconds: float = Field(default=5.0, gt=0, description="So long the first one waits for more.")


class Rule(Part):
    """What the data of some paths are. The first rule that matches takes a path."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Its name, for `explain`.")
    match: tuple[str, ...] = Field(
        min_length=1,
        description="Patterns of paths below the folder; ** stands for any folders.",
    )
    ignore: bool = Field(default=False, description="Whether such paths are no data at all.")
    grouping: Grouping | None = Field(default=None, description="Instead of the beamline's.")
    technique: str | None = Field(default=None, description="Instead of the beamline's.")
    flow: str | None = Field(default=None, description="Instead of the technique's flow.")
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="What differs from the beamline's recipe."
    )
    path_template: str | None = Field(default=None, description="Instead of the beamline's.")
    done_marker: str | None = Field(
        default=None,
        description="Complete only when this file is there: '{name}.done' beside a file, or a "
        "plain name inside a folder.",
    )
    batch: Batch | None = Field(default=None, description="Reduce several in one run.")


class CalibrationRule(Part):
    """Which calibrations of a kind serve a scan."""

    choose: Literal["nearest", "before", "both"] = Field(
        default="nearest",
        description="The nearest in time, the last one before, or the nearest on either side.",
    )
    max_age_hours: float | None = Field(
        default=None, gt=0, description="Instead of calibration_max_age_hours."
    )


class Purge(Part):
    """After how long data may be purged, if a verified copy exists. Empty: never."""

    derived_after_days: float | None = Field(default=None, ge=0, description="For results.")
    raw_after_days: float | None = Field(
        default=None, ge=0, description="For raw data, which is a decision of the facility."
    )


class BlueskyTrigger(Part):
    """A 0MQ proxy of Bluesky documents, packed with msgpack."""

    address: str = Field(description="Where the proxy publishes, as host:port.")
    prefix: str = Field(default="", description="Only documents that are sent with this prefix.")
    server_key: str | None = Field(default=None, description="Its CURVE public key.")
    public_key: str | None = Field(default=None, description="Our CURVE public key.")
    secret_key: SecretStr | None = Field(default=None, description="Our CURVE secret key.")


class EpicsTrigger(Part):
    """An areaDetector file plugin over Channel Access."""

    prefix: str = Field(description="Of its records, such as 'BL07:HDF1:'.")
    addresses: tuple[str, ...] = Field(
        default=(), description="Where to search (EPICS_CA_ADDR_LIST); empty: the environment's."
    )


class KafkaTrigger(Part):
    """Bluesky documents from a Kafka topic (needs the extra ``kafka``)."""

    servers: tuple[str, ...] = Field(min_length=1, description="Brokers, as host:port.")
    topic: str = Field(description="The topic.")
    group: str = Field(default="dayseye", description="The consumer group.")


class Triggers(Part):
    """The ways in which a beamline's data announce themselves; each is on or off."""

    files: Literal["events", "scan", "off"] = Field(
        default="events",
        description="events: file events and a walk (local disks); scan: our own scan (NFS, "
        "Lustre, GPFS, where other machines' writes raise no events).",
    )
    http: bool = Field(default=True, description="POST /api/arrivals.")
    bluesky: BlueskyTrigger | None = Field(default=None, description="Documents over 0MQ.")
    epics: EpicsTrigger | None = Field(default=None, description="areaDetector over EPICS.")
    kafka: KafkaTrigger | None = Field(default=None, description="Documents over Kafka.")
    reconcile_seconds: float = Field(
        default=300.0,
        gt=0,
        description="How often everything on disk is compared with the catalogue, whatever else "
        "announces data.",
    )
    silent_after_hours: float | None = Field(
        default=None, gt=0, description="A trigger that was heard of nothing for so long is told."
    )

    def kinds(self) -> tuple[str, ...]:
        """Return the names of those that are on."""
        on = {
            "files": self.files != "off",
            "http": self.http,
            "bluesky": self.bluesky is not None,
            "epics": self.epics is not None,
            "kafka": self.kafka is not None,
        }
        return tuple(name for name, is_on in on.items() if is_on)
