"""The declared rules of a beamline: which data are what, how they arrive, how long they stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from triggers import patterns
from triggers.templates import PATH_FIELDS, placeholders

Grouping = Literal["file", "entry", "folder"]
Source = Literal["path", "report", "sidecar", "file"]
CALIBRATION_KINDS = (
    "flat",
    "dark",
    "empty",
    "container",
    "mask",
    "geometry",
    "calibrant",
    "reference",
)
CATALOGUE_ONLY = "none"
"""The flow of data that are only catalogued."""
NO_SERIES = "none"
SERIES = (NO_SERIES, "file", "folder", "sample")
USUAL_SERIES = {"mx": "sample", "xas": "file"}
"""By technique, what makes a series where nothing is declared."""


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
        description="Patterns of paths below the folder; ** stands for any folders. A folder of "
        "images is meant by its own path or by that of its images.",
    )
    ignore: bool = Field(default=False, description="Whether such paths are no data at all.")
    grouping: Grouping | None = Field(default=None, description="Instead of the beamline's.")
    technique: str | None = Field(default=None, description="Instead of the beamline's.")
    flow: str | None = Field(
        default=None, description="Instead of the technique's flow; 'none': only catalogued."
    )
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="What differs from the beamline's recipe."
    )
    path_template: str | None = Field(default=None, description="Instead of the beamline's.")
    done_marker: str | None = Field(
        default=None,
        description="Complete only when this file is there: '{name}.done' or '{stem}.done' beside "
        "a file or folder, or a plain name in the folder of a file or of images.",
    )
    batch: Batch | None = Field(default=None, description="Reduce several in one run.")
    calibration: str | None = Field(
        default=None,
        description="What it takes are calibrations of this kind, whatever the data say: flat, "
        "dark, empty, container, mask, geometry, calibrant or reference.",
    )
    needs: tuple[str, ...] | None = Field(default=None, description="Instead of the beamline's.")
    series: str | None = Field(default=None, description="Instead of the beamline's.")
    series_recipe: dict[str, Any] = Field(
        default_factory=dict, description="What differs from the beamline's series_recipe."
    )

    @field_validator("series")
    @classmethod
    def _check_series(cls, series: str | None) -> str | None:
        return check_series(series)

    @field_validator("calibration")
    @classmethod
    def _check_calibration(cls, kind: str | None) -> str | None:
        check_kinds([kind] if kind else [])
        return kind

    @field_validator("needs")
    @classmethod
    def _check_needs(cls, needs: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if needs is None else check_kinds(needs)

    @field_validator("match")
    @classmethod
    def _check_match(cls, match: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in match:
            if mistake := patterns.problem(pattern):
                raise ValueError(f"the pattern {pattern!r} cannot be used: {mistake}")
        return match

    @field_validator("path_template")
    @classmethod
    def _check_path_template(cls, template: str | None) -> str | None:
        placeholders(template or "", (*PATH_FIELDS, "_"))
        return template

    @field_validator("done_marker")
    @classmethod
    def _check_done_marker(cls, marker: str | None) -> str | None:
        placeholders(marker or "", ("name", "stem"))
        if marker is not None and ("/" in marker or marker.strip() in ("", ".", "..")):
            raise ValueError(f"{marker!r} must be the name of a file, without folders")
        return marker

    @model_validator(mode="after")
    def _ignores_all_or_nothing(self) -> Self:
        others = sorted(self.model_fields_set - {"name", "match", "ignore"})
        if self.ignore and others:
            raise ValueError(f"rule {self.name!r} ignores its paths: {others[0]} has no meaning")
        return self

    @model_validator(mode="after")
    def _calibrations_need_nothing(self) -> Self:
        others = sorted(self.model_fields_set & {"needs", "series", "series_recipe"})
        if self.calibration and others:
            raise ValueError(
                f"rule {self.name!r} takes calibrations, which wait for nothing and form no "
                f"series: {others[0]} has no meaning"
            )
        return self

    def takes(self, *paths: str) -> bool:
        """Whether one of these, which name the same data, fits one of the patterns."""
        return any(patterns.matches(pattern, path) for pattern in self.match for path in paths)


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """
    Check kinds of calibrations.

    Raises
    ------
    ValueError
        There is no such kind, or one is named twice; the sentence names it.
    """
    for number, kind in enumerate(kinds):
        if kind not in CALIBRATION_KINDS:
            raise ValueError(
                f"{kind!r} is no kind of calibration; there are: {', '.join(CALIBRATION_KINDS)}"
            )
        if kind in kinds[:number]:
            raise ValueError(f"{kind!r} is named twice")
    return tuple(kinds)


def check_series(series: str | None) -> str | None:
    """
    Check what is declared to make a series.

    Raises
    ------
    ValueError
        It is neither one of the words nor a template.
    """
    if series is None or series in SERIES:
        return series
    if not placeholders(series, PATH_FIELDS):
        words = ", ".join(repr(word) for word in SERIES)
        names = ", ".join(f"{{{name}}}" for name in PATH_FIELDS)
        raise ValueError(f"{series!r} makes no series; it is {words}, or a template with {names}")
    return series


def check_order(rules: Sequence[Rule]) -> None:
    """
    Check that each rule has a name of its own and something that no earlier one takes.

    Raises
    ------
    ValueError
        The sentence names both rules.
    """
    for number, rule in enumerate(rules):
        earlier = rules[:number]
        if any(each.name == rule.name for each in earlier):
            raise ValueError(f"two rules are called {rule.name!r}")
        shadows = [_shadow(pattern, earlier) for pattern in rule.match]
        if all(shadows):
            names = " and ".join(sorted({repr(name) for name in shadows}))
            raise ValueError(
                f"rule {rule.name!r} can never match: {names} before it takes all of its paths. "
                "Put it first, or narrow the earlier one"
            )


def _shadow(pattern: str, earlier: Sequence[Rule]) -> str | None:
    """Return the name of an earlier rule that takes all that a pattern matches."""
    for rule in earlier:
        if any(patterns.covers(wider, pattern) for wider in rule.match):
            return rule.name
    return None


class CalibrationRule(Part):
    """Which calibrations of a kind serve a scan, and how they are reduced themselves."""

    choose: Literal["nearest", "before", "both"] = Field(
        default="nearest",
        description="The nearest in time, the last one before, or the nearest on either side.",
    )
    max_age_hours: float | None = Field(
        default=None, gt=0, description="Instead of calibration_max_age_hours."
    )
    wait: bool = Field(
        default=True,
        description="Whether data wait for one; if not, they are given what is there by then.",
    )
    recipe: dict[str, Any] = Field(
        default_factory=dict,
        description="Defaults of the recipe of the flow that reduces calibrations of this kind.",
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
    paths: dict[str, str] = Field(
        default_factory=dict,
        description="Beginnings of paths as the acquisition says them, and what they are here.",
    )


class EpicsTrigger(Part):
    """An areaDetector file plugin over Channel Access."""

    prefix: str = Field(description="Of its records, such as 'BL07:HDF1:'.")
    addresses: tuple[str, ...] = Field(
        default=(), description="Where to search (EPICS_CA_ADDR_LIST); empty: the environment's."
    )
    paths: dict[str, str] = Field(
        default_factory=dict,
        description="Beginnings of paths as the acquisition says them, and what they are here.",
    )


class KafkaTrigger(Part):
    """Bluesky documents from a Kafka topic (needs the extra ``kafka``)."""

    servers: tuple[str, ...] = Field(min_length=1, description="Brokers, as host:port.")
    topic: str = Field(description="The topic.")
    group: str = Field(default="dayseye", description="The consumer group.")
    paths: dict[str, str] = Field(
        default_factory=dict,
        description="Beginnings of paths as the acquisition says them, and what they are here.",
    )


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
