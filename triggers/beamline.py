"""The rules of one beamline: where its data land, what makes a dataset, where results go."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from triggers.rules import (
    NO_SERIES,
    USUAL_SERIES,
    CalibrationRule,
    Grouping,
    Purge,
    Rule,
    Source,
    Triggers,
    check_kinds,
    check_order,
    check_series,
)
from triggers.templates import OUTPUT_FIELDS, PATH_FIELDS, describe, placeholders

PATTERNS = {
    "ct": ("*.h5", "*.hdf5", "*.nxs", "*.tif", "*.tiff"),
    "mx": ("*.cbf", "*.cbf.gz", "*.h5", "*.hdf5", "*.nxs"),
    "pdf": (
        *("*.tif", "*.tiff", "*.cbf", "*.cbf.gz", "*.edf", "*.edf.gz", "*.h5", "*.hdf5", "*.nxs"),
        *("*.xye", "*.xy", "*.chi", "*.dat", "*.iq", "*.txt", "*.csv", "*.asc"),
        *("*.poni", "*.npy", "*.mask", "*.msk"),
    ),
    "xas": (
        *("*.xdi", "*.xd", "*.dat", "*.txt", "*.csv", "*.asc", "*.xmu", "*.spec"),
        *("*.prj", "*.qex", "*.h5", "*.hdf5", "*.nxs"),
    ),
}
"""Names of the files of a technique's formats; a technique that is not here has those of CT."""


class Beamline(BaseModel):
    """One beamline of the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Short name, used in addresses.")
    name: str = Field(default="", description="Name that people read; empty: the id.")
    technique: str = Field(default="ct", min_length=1, description="Decides the flow.")
    folders: tuple[Path, ...] = Field(min_length=1, description="Where scans land; only read.")
    patterns: tuple[str, ...] = Field(
        default=PATTERNS["ct"],
        min_length=1,
        description="Names of files that may be scans; not given: those of the technique's "
        "formats. Hidden files never are.",
    )
    grouping: Grouping = Field(
        default="entry",
        description="What is a dataset: each entry of a file and each series of images in a folder "
        "(entry); a whole file, which must hold one entry, and, but for tomography, each image "
        "(file); a folder of images only (folder).",
    )
    path_template: str = Field(
        default="",
        description="What a path below the folder tells, such as '{proposal}/{sample}/{scan}'.",
    )
    sources: tuple[Source, ...] = Field(
        default=("path", "report", "sidecar", "file"),
        description="Who is believed first about proposal, visit, sample and scan: the path, a "
        "report (HTTP, Bluesky, EPICS), a sidecar file, or the data file. What is left out is not "
        "asked.",
    )
    output: str = Field(
        description="Folder of results, with {beamline} {proposal} {visit} {sample} {scan}."
    )
    recipe: dict[str, Any] = Field(default_factory=dict, description="Defaults of the recipe.")
    series: str | None = Field(
        default=None,
        description="What scans share whose results are reduced together: file, folder, sample, a "
        "template such as '{proposal}/{sample}', or none. Empty: as the technique is used (xas: "
        "file, others: none).",
    )
    series_recipe: dict[str, Any] = Field(
        default_factory=dict, description="Defaults of the recipe of series."
    )
    debounce_seconds: float = Field(default=0.02, ge=0, description="Pause after a file event.")
    quiet_seconds: float = Field(
        default=2.0, gt=0, description="Without change for so long, data that announce no end end."
    )
    grace_seconds: float = Field(
        default=10.0, ge=0, description="After that, so long before what cannot be read is broken."
    )
    timeout_seconds: float = Field(
        default=3600.0, gt=0, description="So long after the last change a scan is incomplete."
    )
    rescan_seconds: float = Field(
        default=30.0, gt=0, description="How often the folders are walked, events or not."
    )
    calibration_max_age_hours: float = Field(
        default=24.0, gt=0, description="Flats and darks that are older do not serve a scan."
    )
    needs: tuple[str, ...] = Field(
        default=(),
        description="Kinds of calibrations that data wait for, beside those that they ask for.",
    )
    rules: tuple[Rule, ...] = Field(
        default=(), description="Ordered; what no rule matches is as the beamline says."
    )
    triggers: Triggers = Field(default=Triggers(), description="How its data announce themselves.")
    calibrations: dict[str, CalibrationRule] = Field(
        default_factory=dict, description="By kind (flat, dark, ...): which ones serve a scan."
    )
    purge: Purge = Field(default=Purge(), description="After how long data may be purged.")
    output_group: str = Field(default="", description="Group that owns results; {proposal} too.")
    output_mode: str = Field(
        default="", pattern=r"^(0[0-7]{3})?$", description="Mode of results' folders, as '0750'."
    )

    @model_validator(mode="before")
    @classmethod
    def _patterns_of_technique(cls, given: Any) -> Any:
        if isinstance(given, dict) and "patterns" not in given:
            known = PATTERNS.get(str(given.get("technique")))
            return {**given, "patterns": known} if known else given
        return given

    @field_validator("output")
    @classmethod
    def _check_output(cls, output: str) -> str:
        fields = placeholders(output, OUTPUT_FIELDS)
        if "scan" not in fields:
            raise ValueError(f"output must contain {{scan}}, or scans would share {output!r}")
        return output

    @field_validator("path_template")
    @classmethod
    def _check_path_template(cls, template: str) -> str:
        placeholders(template, (*PATH_FIELDS, "_"))
        return template

    @field_validator("series")
    @classmethod
    def _check_series(cls, series: str | None) -> str | None:
        return check_series(series)

    @field_validator("rules")
    @classmethod
    def _check_rules(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        check_order(rules)
        return rules

    @field_validator("calibrations")
    @classmethod
    def _check_calibrations(
        cls, calibrations: dict[str, CalibrationRule]
    ) -> dict[str, CalibrationRule]:
        check_kinds(list(calibrations))
        return calibrations

    @field_validator("needs")
    @classmethod
    def _check_needs(cls, needs: tuple[str, ...]) -> tuple[str, ...]:
        return check_kinds(needs)

    @field_validator("sources")
    @classmethod
    def _check_sources(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        if len(set(sources)) < len(sources):
            raise ValueError("each source is given once")
        return sources

    def accepts(self, name: str) -> bool:
        """Whether a file's name fits one of the patterns."""
        return any(fnmatch(name, pattern) for pattern in self.patterns)

    def locate(self, path: Path) -> tuple[Path, str]:
        """Return the storage that a file is in, and its path there.

        A storage is one of the beamline's folders, or the file's own folder if it is elsewhere.
        """
        for root in self.folders:
            if path.is_relative_to(root) and ".." not in path.parts:
                return root, path.relative_to(root).as_posix()
        return path.resolve().parent, path.name

    def rule_for(self, *relative: str) -> Rule | None:
        """
        Return the first rule that takes a path, or None: then the beamline's own words count.

        Parameters
        ----------
        relative
            The path below the beamline's folder. A series of images has two: its folder's and
            one image's.
        """
        return next((rule for rule in self.rules if rule.takes(*relative)), None)

    def grouping_of(self, rule: Rule | None) -> Grouping:
        """Return what makes a dataset, for data that a rule takes."""
        return (rule.grouping if rule else None) or self.grouping

    def technique_of(self, rule: Rule | None) -> str:
        """Return the technique of data that a rule takes."""
        return (rule.technique if rule else None) or self.technique

    @property
    def techniques(self) -> frozenset[str]:
        """The techniques of all data that it takes."""
        of_rules = {rule.technique for rule in self.rules if rule.technique}
        return frozenset({self.technique, *of_rules})

    def series_of(self, rule: Rule | None) -> str:
        """Return what makes a series of data that a rule takes; 'none' if nothing does."""
        declared = (rule.series if rule else None) or self.series
        return declared or USUAL_SERIES.get(self.technique_of(rule), NO_SERIES)

    def needs_of(self, rule: Rule | None) -> tuple[str, ...]:
        """Return the kinds of calibrations that are asked for, for data that a rule takes."""
        if rule is None:
            return self.needs
        if rule.calibration:
            return ()
        return self.needs if rule.needs is None else rule.needs

    def waits_for(self, kind: str) -> bool:
        """Whether data that ask for calibrations of a kind wait for one."""
        return kind not in self.calibrations or self.calibrations[kind].wait

    def describe(self, relative: str, rule: Rule | None = None) -> dict[str, str]:
        """Read proposal, visit, sample and scan off a path, as far as the template fits it."""
        own = rule.path_template if rule else None
        return describe(self.path_template if own is None else own, relative)


def check_outputs(beamlines: Iterable[Beamline]) -> None:
    """
    Check that no beamline's results land in a folder that is watched.

    Raises
    ------
    ValueError
        They would; the sentence names both folders.
    """
    beamlines = list(beamlines)
    watched = [(other.id, folder) for other in beamlines for folder in other.folders]
    for beamline in beamlines:
        root = _fixed_part(beamline)
        for other, folder in watched:
            if root.is_relative_to(folder.resolve()):
                raise ValueError(
                    f"beamlines.{beamline.id}.output: results would land in {root}, inside "
                    f"{folder}, which is watched for beamline {other}: choose a folder outside."
                )


def _fixed_part(beamline: Beamline) -> Path:
    template = beamline.output.replace("{beamline}", beamline.id)
    fixed = template.split("{", 1)[0]
    return Path(
        fixed if fixed.endswith("/") or "{" not in template else Path(fixed).parent
    ).resolve()
