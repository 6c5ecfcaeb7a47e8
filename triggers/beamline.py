"""The rules of one beamline: where its data land, what makes a dataset, where results go."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from triggers.rules import CalibrationRule, Purge, Rule, Triggers

OUTPUT_FIELDS = ("beamline", "proposal", "visit", "sample", "scan")
PATH_FIELDS = ("proposal", "visit", "sample", "scan")


class Beamline(BaseModel):
    """One beamline of the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Short name, used in addresses.")
    name: str = Field(default="", description="Name that people read; empty: the id.")
    technique: str = Field(default="ct", min_length=1, description="Decides the flow.")
    folders: tuple[Path, ...] = Field(min_length=1, description="Where scans land; only read.")
    patterns: tuple[str, ...] = Field(
        default=("*.h5", "*.hdf5", "*.nxs", "*.tif", "*.tiff"),
        min_length=1,
        description="Names of files that may be scans. Hidden files never are.",
    )
    grouping: Literal["file", "entry", "folder"] = Field(
        default="entry",
        description="What is a dataset: each entry of a file and each folder of images (entry); "
        "a whole file, which must hold one entry (file); a folder of images only (folder).",
    )
    path_template: str = Field(
        default="",
        description="What a path below the folder tells, such as '{proposal}/{sample}/{scan}'.",
    )
    output: str = Field(
        description="Folder of results, with {beamline} {proposal} {visit} {sample} {scan}."
    )
    recipe: dict[str, Any] = Field(default_factory=dict, description="Defaults of the recipe.")
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

    @field_validator("output")
    @classmethod
    def _check_output(cls, output: str) -> str:
        fields = _fields(output, OUTPUT_FIELDS)
        if "scan" not in fields:
            raise ValueError(f"output must contain {{scan}}, or scans would share {output!r}")
        return output

    @field_validator("path_template")
    @classmethod
    def _check_path_template(cls, template: str) -> str:
        _fields(template, (*PATH_FIELDS, "_"))
        return template

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

    def describe(self, relative: str) -> dict[str, str]:
        """Read proposal, visit, sample and scan off a path, as far as the template fits it."""
        if not self.path_template:
            return {}
        found = _matcher(self.path_template).match(relative)
        return {key: value for key, value in found.groupdict().items() if value} if found else {}


def _fields(template: str, allowed: tuple[str, ...]) -> set[str]:
    """Return the placeholders of a template; the error names the allowed ones."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{template!r} has unbalanced braces ({error})") from error
    fields = {name for _, name, _, _ in parts if name is not None}
    plain = all(not spec and not conversion for _, _, spec, conversion in parts)
    if unknown := sorted(fields - set(allowed)):
        names = ", ".join(f"{{{name}}}" for name in allowed)
        raise ValueError(f"{{{unknown[0]}}} is not allowed in {template!r}; allowed are {names}")
    if not plain:
        raise ValueError(f"{template!r} may hold names in braces only, without formats")
    return fields


def _matcher(template: str) -> re.Pattern[str]:
    """Turn a template into a pattern for the begin of a path; ``{_}`` stands for anything."""
    seen: set[str] = set()
    pattern = ""
    for text, name, _, _ in string.Formatter().parse(template):
        pattern += re.escape(text)
        if name is None:
            continue
        named = name != "_" and name not in seen
        pattern += f"(?P<{name}>[^/]+?)" if named else "[^/]+?"
        seen.add(name)
    return re.compile(pattern + r"(?:\.[^./]+)?(?:/|$)")


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
