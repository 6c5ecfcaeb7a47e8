"""The settings of a platform: ``dayseye.toml``, overridden by environment variables.

``DAYSEYE_CLUSTER__WORKERS=8`` overrides ``workers`` in ``[cluster]``.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from infra.sections import (
    Access,
    Archive,
    Cluster,
    Notifications,
    Prediction,
    Runs,
    Services,
)
from triggers.beamline import Beamline, check_outputs

SETTINGS_FILE = "dayseye.toml"


class ConfigurationError(RuntimeError):
    """The settings cannot be used; the message names each key, its value and what is allowed."""


class Settings(BaseSettings):
    """All settings of a platform."""

    model_config = SettingsConfigDict(
        env_prefix="DAYSEYE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    state: Path = Field(default=Path(".dayseye"), description="The folder of the platform's state.")
    services: Services = Services()
    cluster: Cluster = Cluster()
    runs: Runs = Runs()
    access: Access = Access()
    archive: Archive = Archive()
    notifications: Notifications = Notifications()
    prediction: Prediction = Prediction()
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
    archive = settings.archive
    if archive.place and "://" not in archive.place:
        archive = archive.model_copy(update={"place": str(folder / archive.place)})
        _check_place(Path(str(archive.place)), beamlines)
    anchored = {"state": folder / settings.state, "beamlines": beamlines, "archive": archive}
    return settings.model_copy(update=anchored)


def _check_place(place: Path, beamlines: tuple[Beamline, ...]) -> None:
    """Refuse copies inside a folder that is watched: they would be scans again."""
    for beamline in beamlines:
        for folder in beamline.folders:
            if place.resolve().is_relative_to(folder.resolve()):
                raise ValueError(
                    f"archive.place: copies would land in {place}, inside {folder}, which is "
                    f"watched for beamline {beamline.id}: choose a folder outside"
                )


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
        "access": Access,
        "archive": Archive,
        "notifications": Notifications,
        "beamlines": Beamline,
    }
    model = tables.get(location[0], Settings) if len(location) > 1 else Settings
    return sorted(model.model_fields)
