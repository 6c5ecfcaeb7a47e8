"""Why a path is, or is not, a dataset: what the rules and a look at it say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from triggers import patterns
from triggers.arrival import Arrival
from triggers.beamline import Beamline
from triggers.clues import marker_of
from triggers.completeness import Judgement
from triggers.facts import sidecars
from triggers.grouping import group, names_of
from triggers.look import Candidate
from triggers.rules import Rule
from triggers.scan_folder import signature, walk

Reports = Callable[[str, Path, str | None], Mapping[str, Any]]
MOST_BELOW = 5


@dataclass(frozen=True)
class RuleSays:
    """Whether a rule takes a path, and why, or why not."""

    rule: str
    takes: bool
    why: str


@dataclass(frozen=True)
class Found:
    """
    One dataset that a look at the path finds.

    Attributes
    ----------
    ends_as, ends_because
        What it will be if nothing changes any more, and why.
    serves_as
        The kinds of calibration that it is.
    waits_for, uses
        The kinds of calibrations that it waits for, and those that it is given if they are there.
    """

    name: str
    key: str
    inner_path: str
    format: str
    kind: str
    frames: int
    expected_frames: int | None
    stage: str
    reason: str | None
    ends_as: str
    ends_because: str | None
    known: Mapping[str, str]
    known_from: Mapping[str, str]
    told_otherwise: Mapping[str, Mapping[str, str]]
    report: Mapping[str, Any]
    problem: str | None
    serves_as: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """
    What is made of a path, step by step; `ends_with` says why nothing is, if so.

    Attributes
    ----------
    belongs_to
        The file or folder that is looked at for it.
    """

    path: Path
    beamline: str | None = None
    ends_with: str | None = None
    rules: tuple[RuleSays, ...] = ()
    rule: str | None = None
    belongs_to: Path | None = None
    grouping: str | None = None
    technique: str | None = None
    quiet_for: float | None = None
    notes: tuple[str, ...] = ()
    datasets: tuple[Found, ...] = field(default_factory=tuple)


def nothing_reported(_beamline: str, _path: Path, _uid: str | None) -> Mapping[str, Any]:
    """Know of no reports."""
    return {}


def explain(
    beamlines: Sequence[Beamline], path: Path, reports: Reports = nothing_reported
) -> Explanation:
    """
    Say what is made of a path, and why.

    Parameters
    ----------
    beamlines
        Those of the settings.
    path
        A file or folder; it need not be there.
    reports
        Gives what was reported about a path of a beamline, for the scan with a uid.
    """
    path = Path(path).absolute()
    beamline = next((each for each in beamlines if _root(each, path)), None)
    if beamline is None:
        folders = ", ".join(f"{each.id}: {folder}" for each in beamlines for folder in each.folders)
        return Explanation(
            path, ends_with=f"No beamline watches it. Watched are: {folders or 'no folders'}."
        )
    found = group(beamline, path)
    rules = tuple(_rules(beamline, path, found))
    rule = next((each for each in rules if each.takes), None)
    about = {"path": path, "beamline": beamline.id, "rules": rules}
    if rule is not None:
        about["rule"] = rule.rule
    if found is None:
        return Explanation(**about, ends_with=_why_none(beamline, path, rules))
    return _looked_at(beamline, found, reports, about)


def _looked_at(
    beamline: Beamline, found: Path, reports: Reports, about: dict[str, Any]
) -> Explanation:
    """Look at what a path belongs to, as the trigger would."""
    candidate = Candidate(
        beamline,
        found,
        changed_at=0.0,
        due=0.0,
        about=lambda uid: reports(beamline.id, found, uid),
    )
    about = about | {
        "belongs_to": found,
        "grouping": beamline.grouping_of(candidate.rule),
        "technique": beamline.technique_of(candidate.rule),
    }
    candidate.signature = seen = signature(found)
    if seen is None:
        return Explanation(**about, ends_with=f"{found} is not there.")
    quiet_for = max(0.0, time.time() - seen.mtime_ns / 1e9)
    now, then = candidate.arrivals(quiet_for), candidate.arrivals(float("inf"))
    datasets = tuple(_found(each, later.judgement) for each, later in zip(now, then, strict=False))
    ends = None if datasets else f"{found} holds no images yet."
    notes = tuple(_notes(beamline, found, candidate.rule))
    return Explanation(**about, quiet_for=quiet_for, datasets=datasets, ends_with=ends, notes=notes)


def _found(arrival: Arrival, later: Judgement) -> Found:
    entry, facts, needs = arrival.entry, arrival.facts, arrival.needs
    waits_for = tuple(kind for kind in needs if arrival.beamline.waits_for(kind))
    return Found(
        name=arrival.name,
        key=arrival.key,
        inner_path=entry.inner_path if entry else "",
        format=entry.format if entry else "",
        kind=arrival.kind,
        frames=entry.present_frames if entry else 0,
        expected_frames=entry.expected_frames if entry else None,
        stage=arrival.judgement.stage,
        reason=arrival.judgement.reason,
        ends_as=later.stage,
        ends_because=later.reason,
        known=facts.known,
        known_from={what: str(who) for what, who in facts.source.items()},
        told_otherwise=facts.others,
        report=arrival.clues.report,
        problem=facts.problem,
        serves_as=arrival.calibration_kinds,
        waits_for=waits_for,
        uses=tuple(kind for kind in needs if kind not in waits_for),
    )


def _rules(beamline: Beamline, path: Path, found: Path | None) -> Iterator[RuleSays]:
    """Say of each rule whether it takes the path; the first one counts."""
    root = _root(beamline, path) or path.parent
    names = names_of(root, found or path, path)
    taken: Rule | None = None
    for rule in beamline.rules:
        fits = [each for each in rule.match for name in names if patterns.matches(each, name)]
        if not fits:
            why = f"{' and '.join(names)} does not fit {', '.join(rule.match)}"
            yield RuleSays(rule.name, takes=False, why=why)
        elif taken is not None:
            why = f"it fits {fits[0]}, but rule {taken.name} comes first"
            yield RuleSays(rule.name, takes=False, why=why)
        else:
            taken = rule
            yield RuleSays(rule.name, takes=True, why=f"it fits {fits[0]}")


def _why_none(beamline: Beamline, path: Path, rules: Sequence[RuleSays]) -> str:
    """Say why a path inside a beamline's folder is no data."""
    root = _root(beamline, path) or path.parent
    relative = path.relative_to(root)
    taker = next((each.rule for each in rules if each.takes), None)
    if any(part.startswith(".") for part in relative.parts):
        return "Its name, or that of a folder above it, begins with a dot: such files are no data."
    if any(rule.ignore for rule in beamline.rules if rule.name == taker):
        return f"Rule {taker} ignores it."
    if path.is_dir():
        return _why_no_folder(beamline, path)
    if not beamline.accepts(path.name):
        return f"Its name fits none of the beamline's patterns: {', '.join(beamline.patterns)}."
    if path.parent == root:
        return "It is a loose image in the beamline's own folder: a series needs its own folder."
    return "Its grouping is by folder, and it is a file: only folders of images are datasets."


def _why_no_folder(beamline: Beamline, folder: Path) -> str:
    below = [str(each) for each in islice(walk(beamline, folder), MOST_BELOW)]
    if below:
        return f"It is a folder of several datasets; ask about one: {', '.join(below)}."
    return "It is a folder in which nothing fits the patterns and rules of the beamline."


def _notes(beamline: Beamline, found: Path, rule: Rule | None) -> Iterator[str]:
    """Say which files beside the data are asked for, and whether they are there."""
    marker = marker_of(rule, found)
    if marker is not None:
        yield f"Its end is marked by {marker}, which is {_there(marker)}."
    for sidecar in sidecars(found):
        if sidecar.exists():
            yield f"It has the sidecar {sidecar}."
            break
    else:
        yield f"It has no sidecar ({' or '.join(str(each) for each in sidecars(found))})."
    yield f"Who is believed first: {', '.join(beamline.sources)}."


def _there(path: Path) -> str:
    if not path.exists():
        return "not there yet"
    since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return f"there since {since:%Y-%m-%d %H:%M:%S} UTC"


def _root(beamline: Beamline, path: Path) -> Path | None:
    inside = ".." not in path.parts
    return next((root for root in beamline.folders if inside and path.is_relative_to(root)), None)
