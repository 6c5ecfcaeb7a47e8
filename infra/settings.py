"""The settings of a platform: ``dayseye.toml``, overridden by environment variables.

``DAYSEYE_CLUSTER__WORKERS=8`` overrides ``workers`` in ``[cluster]``.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from triggers.beamline import Beamline, check_outputs

SETTINGS_FILE = "dayseye.toml"
PortName = Literal["postgres", "prefect", "api", "dask", "dask_dashboard"]


class ConfigurationError(RuntimeError):
    """The settings cannot be used; the message names each key, its value and what is allowed."""


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

    @property
    def limit(self) -> int:
        """Runs at once on this machine."""
        return self.at_once or min(4, max(2, (os.cpu_count() or 1) // 2))


class Settings(BaseSettings):
    """All settings of a platform."""

    model_config = SettingsConfigDict(
        env_prefix="DAYSEYE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    state: Path = Field(default=Path(".dayseye"), description="The folder of the platform's state.")
    services: Services = Services()
    cluster: Cluster = Cluster()
    runs: Runs = Runs()
    beamlines: tuple[Beamline, ...] = ()

    @model_validator(mode="after")
    def _beamlines_differ(self) -> "Settings":
        names = [beamline.id for beamline in self.beamlines]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"beamlines: the id {twice[0]!r} is given twice")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings.

    Parameters
    ----------
    path : Path, optional
        The settings file; ``DAYSEYE_SETTINGS`` or ``dayseye.toml`` by default, which may be
        missing: then everything is as by default, without a beamline. Relative paths in it start
        at its folder.

    Raises
    ------
    ConfigurationError
        With one sentence for each mistake.
    """
    named = path or (
        Path(os.environ["DAYSEYE_SETTINGS"]) if "DAYSEYE_SETTINGS" in os.environ else None
    )
    file = named or Path(SETTINGS_FILE)
    if named is not None and not file.is_file():
        raise ConfigurationError(f"There is no settings file {file}.")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        return _anchored(FromFile(), file.absolute().parent)
    except ValidationError as error:
        sentences = [_sentence(file, detail) for detail in error.errors()]
        raise ConfigurationError("\n".join(sentences)) from None
    except (SettingsError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.") from None


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Make the paths of the settings absolute."""
    beamlines = tuple(
        beamline.model_copy(
            update={
                "folders": tuple(folder / each for each in beamline.folders),
                "output": str(folder / beamline.output),
            }
        )
        for beamline in settings.beamlines
    )
    check_outputs(beamlines)
    return settings.model_copy(update={"state": folder / settings.state, "beamlines": beamlines})


def _sentence(file: Path, detail: ErrorDetails) -> str:
    """Say in one sentence which key has which value, and what is allowed."""
    key = ".".join(str(part) for part in detail["loc"]) or "settings"
    if detail["type"] == "extra_forbidden":
        allowed = ", ".join(_allowed_keys(detail["loc"]))
        return f"{file}: {key} is not a setting; allowed here: {allowed}."
    if detail["type"] == "missing":
        return f"{file}: {key} is missing."
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if detail["type"] == "value_error":
        return f"{file}: {key}: {message}."
    return f"{file}: {key} = {detail['input']!r} is not allowed; it should be {message}."


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the table that an unknown key stands in."""
    tables: dict[Any, type[BaseModel]] = {
        "services": Services,
        "cluster": Cluster,
        "runs": Runs,
        "beamlines": Beamline,
    }
    model = tables.get(location[0], Settings) if len(location) > 1 else Settings
    return sorted(model.model_fields)
