"""Whose data they are: proposal, visit, sample and scan, from all that tells of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from catalog.errors import CatalogError
from catalog.samples import checked_fields
from triggers.beamline import Beamline
from triggers.rules import Source
from triggers.templates import PATH_FIELDS

log = logging.getLogger(__name__)

FOLDER_SIDECAR = "dayseye.json"
"""The sidecar of all data in its folder, or of the series that is its folder."""
LONGEST = 200
NAMING: tuple[Source, ...] = ("path", "sidecar")
"""Who may name a dataset: the scan of a report is often a bare number."""


@dataclass(frozen=True)
class Facts:
    """
    What is known about a dataset besides its data, and from where.

    Attributes
    ----------
    known
        Proposal, visit, sample and scan, as far as anybody tells them.
    source
        Who told each: path, report, sidecar or file.
    others
        What was told otherwise by those who are believed less.
    sample_fields
        Formula, density and what else is told about the sample.
    metadata
        What a sidecar tells besides.
    problem
        A sentence about a sidecar that cannot be used, or None.
    """

    known: Mapping[str, str] = field(default_factory=dict[str, str])
    source: Mapping[str, Source] = field(default_factory=dict[str, Source])
    others: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    sample_fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    problem: str | None = None


def gather(
    beamline: Beamline,
    path: Path,
    *,
    from_path: Mapping[str, str],
    from_file: Mapping[str, Any],
    report: Mapping[str, Any],
) -> Facts:
    """
    Put together what is told about a dataset; the beamline's `sources` say who is believed first.

    Parameters
    ----------
    beamline
        Whose rules count.
    path
        The file or folder, for the sidecar beside it.
    from_path, from_file, report
        What the path, the data file and others tell.
    """
    sidecar, problem = read_sidecar(path)
    told: dict[Source, Mapping[str, Any]] = {
        "path": from_path,
        "report": report,
        "sidecar": sidecar,
        "file": from_file,
    }
    known: dict[str, str] = {}
    source: dict[str, Source] = {}
    others: dict[str, dict[str, str]] = {}
    for what in PATH_FIELDS:
        for who in beamline.sources:
            value = _word(told[who].get(what))
            if value is None or (what == "scan" and who not in NAMING):
                continue
            if what not in known:
                known[what], source[what] = value, who
            elif value != known[what]:
                others.setdefault(what, {})[who] = value
    fields, mistake = _sample_fields(sidecar, report)
    return Facts(known, source, others, fields, _table(sidecar.get("metadata")), problem or mistake)


def sidecars(path: Path) -> tuple[Path, ...]:
    """Return where a file's or folder's sidecar may be; the first that is there counts."""
    if path.is_dir():
        return path / FOLDER_SIDECAR, path.with_name(f"{path.name}.json")
    return path.with_suffix(".json"), path.with_name(FOLDER_SIDECAR)


def read_sidecar(path: Path) -> tuple[dict[str, Any], str | None]:
    """Return what a sidecar tells; if it cannot be read, a sentence that says why."""
    for sidecar in sidecars(path):
        try:
            found = json.loads(sidecar.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            return {}, _cannot_be_used(sidecar, str(error))
        if not isinstance(found, dict):
            return {}, _cannot_be_used(sidecar, "it must hold one JSON object")
        return cast("dict[str, Any]", found), None
    return {}, None


def _cannot_be_used(sidecar: Path, why: str) -> str:
    sentence = f"{sidecar} cannot be used: {why}. What it should tell is taken from elsewhere."
    log.warning("%s", sentence)
    return sentence


def _word(value: object) -> str | None:
    """Return a name as text; a sample may be a table with a name."""
    if isinstance(value, Mapping):
        value = cast("Mapping[str, object]", value).get("name")
    if value is None or isinstance(value, bool | Mapping | list):
        return None
    return str(value).strip()[:LONGEST] or None


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _sample_fields(*told: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return what is told about the sample by the first who tells anything."""
    for each in told:
        given = {
            name: value for name, value in _table(each.get("sample")).items() if name != "name"
        }
        if not given:
            continue
        try:
            return checked_fields(given), None
        except CatalogError as error:
            return {}, str(error)
    return {}, None
