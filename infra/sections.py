"""The tables of the settings file, each with its keys, defaults and meaning."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

PortName = Literal["postgres", "prefect", "api", "dask", "dask_dashboard"]


class Section(BaseModel):
    """A table of the settings file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Services(Section):
    """Where the services are: empty means embedded, started by ``dayseye up``."""

    dsn: str | None = Field(
        default=None,
        description="Owner's address of a catalogue database of your own "
        "(postgresql+psycopg2://owner:password@host/catalog); empty: the embedded PostgreSQL.",
    )
    application_dsn: str | None = Field(
        default=None, description="The same database through a role that owns nothing in it."
    )
    prefect_dsn: str | None = Field(
        default=None, description="Prefect's database (postgresql+asyncpg://...)."
    )
    prefect_api_url: str | None = Field(
        default=None, description="A Prefect server of your own; empty: one is started."
    )
    host: str = Field(default="127.0.0.1", description="Address that the services listen on.")
    public_url: str | None = Field(
        default=None, description="Address of the API in links, behind a proxy for example."
    )
    postgres_reserve_mb: int = Field(
        default=256,
        ge=0,
        description="Room kept free for the embedded PostgreSQL: a file that is given up when its "
        "disk is full.",
    )
    ports: Mapping[PortName, int] = Field(
        default_factory=dict,
        description="Fixed ports; a port that is not given is chosen once and kept.",
    )

    @model_validator(mode="after")
    def _all_or_no_databases(self) -> "Services":
        given = [self.dsn, self.application_dsn, self.prefect_dsn]
        if any(given) and not all(given):
            raise ValueError(
                "dsn, application_dsn and prefect_dsn belong together: give all three, or none "
                "for the embedded PostgreSQL"
            )
        return self


class Cluster(Section):
    """The Dask cluster that the chunks of a reduction go to."""

    kind: Literal["auto", "cpu", "gpu", "address"] = Field(
        default="auto", description="auto: GPUs when there are some; address: a running scheduler."
    )
    address: str | None = Field(default=None, description="Scheduler, as tls://host:port.")
    tls_folder: Path | None = Field(
        default=None, description="Folder with ca.pem, cert.pem and key.pem of that scheduler."
    )
    workers: int | None = Field(default=None, ge=1, description="Empty: one per core or GPU.")
    threads: int = Field(default=1, ge=1, description="Threads per worker.")
    memory_limit: str = Field(
        default="auto", description="Memory per worker, as '4GiB'; auto: an equal share."
    )
    dashboard: bool = Field(default=False, description="Serve Dask's own pages on the loopback.")

    @model_validator(mode="after")
    def _address_is_complete(self) -> "Cluster":
        if self.kind == "address" and not (self.address and self.tls_folder):
            raise ValueError("kind 'address' needs address and tls_folder")
        return self


class Runs(Section):
    """How runs are started and looked after."""

    at_once: int | None = Field(default=None, ge=1, description="Empty: half the cores, 2 to 4.")
    attempts: int = Field(default=3, ge=1, description="Attempts of a run before it has failed.")
    waiting_in_prefect: int = Field(
        default=20, ge=1, description="Runs handed to Prefect that have not started yet, at most."
    )
    free_disk_gb: float = Field(
        default=1.0, ge=0, description="No run starts with less free where outputs go."
    )
    stale_seconds: float = Field(
        default=60.0, gt=0, description="An attempt without a heartbeat for so long is lost."
    )
    reprocess_at_once: int | None = Field(
        default=None,
        ge=1,
        description="Of the runs at once, so many may be reprocessing. Empty: all but one.",
    )
    retry_seconds: float = Field(
        default=10.0, gt=0, description="Pause before a second attempt; it doubles each time."
    )
    prefect_days: float = Field(
        default=30.0, gt=0, description="So long Prefect keeps ended runs; the catalogue keeps all."
    )
    prefect_event_days: float = Field(
        default=3.0, gt=0, description="So long Prefect keeps its events."
    )

    @property
    def limit(self) -> int:
        """Runs at once on this machine."""
        return self.at_once or min(4, max(2, (os.cpu_count() or 1) // 2))

    @property
    def reprocess_limit(self) -> int:
        """How many of them may reprocess."""
        return self.reprocess_at_once or max(1, self.limit - 1)


class Access(Section):
    """Who may see what over the API and the pages."""

    anonymous: Literal["auto", "all", "public", "nothing"] = Field(
        default="auto",
        description="What is shown without a token; auto: all on the loopback interface, public "
        "data where host or public_url opens the API to others.",
    )
    embargo_days: float | None = Field(
        default=None, gt=0, description="New data become public after so long; empty: never."
    )


class Archive(Section):
    """Where copies go."""

    place: str | None = Field(
        default=None,
        description="Folder or fsspec address (file:///..., s3://bucket/prefix) of the copies.",
    )
    options: Mapping[str, str] = Field(
        default_factory=dict, description="What that file system needs, such as endpoint_url."
    )
    retention_days: float | None = Field(
        default=None, gt=0, description="So long a copy is to be kept; empty: for ever."
    )


class Notifications(Section):
    """Who is told about what needs a person."""

    webhook: str | None = Field(default=None, description="Address that messages are posted to.")
    email_to: tuple[str, ...] = Field(default=(), description="Who gets e-mail.")
    email_from: str = Field(default="dayseye@localhost", description="Its sender.")
    smtp_host: str = Field(default="127.0.0.1", description="The mail server.")
    smtp_port: int = Field(default=25, description="Its port.")
    smtp_user: str | None = Field(default=None, description="Who logs in there.")
    smtp_password: SecretStr | None = Field(default=None, description="With which password.")
    smtp_starttls: bool = Field(default=False, description="Whether to encrypt.")
    group_seconds: float = Field(
        default=60.0, gt=0, description="Messages of a kind within so long go out as one."
    )
    backlog: int = Field(default=500, ge=1, description="So many waiting runs are a message.")
    low_disk_gb: float = Field(default=10.0, ge=0, description="Less free than this is a message.")


class Prediction(Section):
    """Where models come from for which nobody gave one, to solve structures with."""

    folder: Path | None = Field(
        default=None,
        description="Predicted models (PDB or mmCIF), found by sequence or by the UniProt id in "
        "their names.",
    )
    command: tuple[str, ...] = Field(
        default=(),
        description="Program and arguments that predict a model, run without a shell; {fasta} and "
        "{output} stand for the file with the sequence and the folder for the model.",
    )
    hours: float = Field(default=1.0, gt=0, description="How long the command may take.")

    def environment(self) -> dict[str, str]:
        """Return the variables by which flows learn of it."""
        told = {
            "DAYSEYE_PREDICTIONS": str(self.folder.resolve()) if self.folder else "",
            "DAYSEYE_PREDICTION_COMMAND": json.dumps(self.command) if self.command else "",
            "DAYSEYE_PREDICTION_HOURS": str(self.hours),
        }
        return {name: value for name, value in told.items() if value}
