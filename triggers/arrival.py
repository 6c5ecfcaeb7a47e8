"""An arrival: what a trigger learned about one dataset, in the catalogue's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from catalog.arrivals import SightedFile, Sighting
from catalog.sightings import SeriesMark
from tasks.io.entry import Entry
from tasks.io.fingerprint import fingerprint, fingerprint_file
from triggers.beamline import Beamline
from triggers.clues import NO_CLUES, Clues
from triggers.completeness import Judgement
from triggers.facts import Facts, gather
from triggers.grouping import rule_of
from triggers.rules import Rule
from triggers.scan_folder import signature
from triggers.templates import fill

ONLY_ENTRIES = ("", "entry", "entry1/tomo_entry")
"""Entries that a file has one of: the file's name says enough."""
NUMBERS = re.compile(r"[_.\- ]*#+\..*$")
"""What the template of a numbered series ends with."""
KEPT_OF_REPORTS = ("plan", "scan", "reason")
"""What of a report stays with the dataset, besides who and what it is about."""


@dataclass(frozen=True)
class Arrival:
    """
    One dataset that landed, is landing, or cannot be read.

    Attributes
    ----------
    path
        Its file or folder.
    entry
        What a look at it told; None if it could not be looked at.
    judgement
        Where it stands.
    alone
        Whether it is the only dataset of its file.
    clues
        What others than its data told about it.
    fingerprint
        That of its data, where it was taken already.
    """

    beamline: Beamline
    path: Path
    judgement: Judgement
    entry: Entry | None = None
    alone: bool = True
    clues: Clues = NO_CLUES
    fingerprint: str = ""

    @cached_property
    def rule(self) -> Rule | None:
        """The rule of the beamline that takes it."""
        return rule_of(self.beamline, self.path)

    @cached_property
    def facts(self) -> Facts:
        """Whose it is, as far as anybody tells."""
        return gather(
            self.beamline,
            self.path,
            from_path=self.beamline.describe(self._described, self.rule),
            from_file=self.entry.metadata if self.entry else {},
            report=self.clues.report,
        )

    @property
    def _described(self) -> str:
        """The path below the beamline's folder, as templates read it."""
        relative = self.beamline.locate(self.path)[1]
        return f"{relative}/{self._sweep}" if self._sweep else relative

    @property
    def _sweep(self) -> str:
        """What the names of a sweep's images begin with; empty for other data."""
        inner = self.entry.inner_path if self.entry else ""
        return NUMBERS.sub("", inner) if "#" in inner else ""

    @property
    def has_identity(self) -> bool:
        """Whether the data say themselves which scan they are."""
        return self.entry is not None and bool(self.entry.uid or self.entry.started_at)

    @property
    def key(self) -> str:
        """The entry key: the uid, else the file, the entry in it and its start time."""
        if self.entry is not None and self.entry.uid:
            return f"uid:{self.entry.uid}"
        root, relative = self.beamline.locate(self.path)
        inner = f"#{self.entry.inner_path}" if self.entry and self.entry.inner_path else ""
        start = self.entry.started_at if self.entry else None
        return f"{root}/{relative}{inner}" + (f"@{start.isoformat()}" if start else "")

    @property
    def name(self) -> str:
        """The name that people read: the scan of the path template, else the file's name."""
        stem = self.path.name if self.path.is_dir() else self.path.stem
        name = self.facts.known.get("scan", stem).removesuffix("_master")
        inner = self.entry.inner_path if self.entry else ""
        if self._sweep:
            return self._sweep
        return name if inner in ONLY_ENTRIES else f"{name}-{inner.replace('/', '-')}"

    @property
    def series(self) -> SeriesMark | None:
        """What it shares with others of its series; None if it belongs to none."""
        by = self.beamline.series_of(self.rule)
        match by:
            case "none":
                return None
            case "file":
                return SeriesMark("file", str(self.path))
            case "folder":
                return SeriesMark("folder", str(self.path if self._sweep else self.path.parent))
            case "sample":
                sample = self.facts.known.get("sample")
                return SeriesMark("sample", sample) if sample else None
            case template:
                filled = fill(template, self.facts.known)
                return SeriesMark("template", filled) if filled else None

    @property
    def kind(self) -> Literal["raw", "calibration"]:
        """Raw data, or a calibration: what a rule says is true whatever the data say."""
        if self.rule is not None and self.rule.calibration:
            return "calibration"
        return self.entry.kind if self.entry else "raw"

    @property
    def calibration_kinds(self) -> tuple[str, ...]:
        """What it serves as if it is a calibration."""
        if self.rule is not None and self.rule.calibration:
            return (self.rule.calibration,)
        return tuple(self.entry.calibration_kinds) if self.entry else ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The calibrations that it asks for itself, then those that its beamline wants for it."""
        if self.kind == "calibration":
            return ()
        own = tuple(self.entry.needs) if self.entry else ()
        return tuple(dict.fromkeys((*own, *self.beamline.needs_of(self.rule))))

    def sighting(self) -> Sighting:
        """
        Put it into the catalogue's words; takes the fingerprints.

        Raises
        ------
        DataError, OSError
            The files changed or went away meanwhile.
        """
        entry = self.entry
        known = self.facts.known
        return Sighting(
            beamline=self.beamline.id,
            entry_key=self.key,
            name=self.name,
            technique=self.beamline.technique_of(self.rule),
            kind=self.kind,
            stage=self.judgement.stage,
            files=self._files(),
            calibration_kinds=self.calibration_kinds,
            detector=entry.detector if entry else "",
            reason=self.judgement.reason,
            uid=entry.uid if entry else None,
            started_at=entry.started_at if entry else None,
            proposal=known.get("proposal"),
            visit=known.get("visit"),
            sample=known.get("sample"),
            metadata=self._metadata(),
            needs=self.needs,
            format=entry.format if entry else "",
            inner_path=entry.inner_path if entry else "",
            has_identity=self.has_identity,
            rule=self.rule.name if self.rule else "",
            reported_uid=str(uid) if entry and (uid := self.clues.report.get("uid")) else None,
            reported_start=self.clues.started_at,
            sample_fields=dict(self.facts.sample_fields),
            series=self.series,
        )

    def _metadata(self) -> dict[str, Any]:
        """Return what the file, a sidecar and reports tell; of the same thing, the first counts."""
        report, facts = self.clues.report, self.facts
        metadata = dict(self.entry.metadata) if self.entry else {}
        for more in (facts.metadata, report.get("metadata") or {}):
            metadata = {**more, **metadata}
        kept = {name: report[name] for name in KEPT_OF_REPORTS if report.get(name) is not None}
        if self.clues.is_aborted:
            kept["stage"] = "aborted"
        if "plan" in kept:
            metadata.setdefault("plan", kept["plan"])
        more = {
            "report": kept,
            "known_from": dict(facts.source),
            "told_otherwise": {what: dict(told) for what, told in facts.others.items()},
            "sidecar_problem": facts.problem,
        }
        return metadata | {key: value for key, value in more.items() if value}

    def _files(self) -> list[SightedFile]:
        inner = self.entry.inner_path if self.entry else ""
        is_series = self.path.is_dir()
        is_readable = self.entry is not None
        content = self.fingerprint
        if not content:
            content = fingerprint(self.path, inner) if is_readable else _unreadable(self.path)
        main = self._file(self.path, "series" if is_series else "data", content, inner)
        linked = self.entry.linked if self.entry else ()
        return main + [
            file
            for target in linked
            for file in self._file(target, "link_target", fingerprint_file(target))
        ]

    def _file(self, path: Path, role: str, content: str, inner: str = "") -> list[SightedFile]:
        seen = signature(path)
        if seen is None:
            return []
        root, relative = self.beamline.locate(path)
        return [
            SightedFile(
                storage=str(root),
                path=relative,
                inner_path=inner,
                role=role,
                size=seen.size,
                mtime_ns=seen.mtime_ns,
                fingerprint=content,
                inode=seen.inode,
                count=seen.count,
            )
        ]


def _unreadable(path: Path) -> str:
    """Fingerprint what no reader could open: its bytes, or its name if even these are closed."""
    try:
        return fingerprint_file(path)
    except OSError:
        return "unreadable"
