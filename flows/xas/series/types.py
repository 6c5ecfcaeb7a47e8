"""What the stages of the XAS series flow hand to one another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from flows.xas.recipe import Recipe as ScanRecipe
from flows.xas.types import Alignment, Doubts, Floats, Interpreted, Opened, Spectrum, Sweeps
from tasks.io.xas.reduced import ReducedFacts
from tasks.xas.clusters import Clusters
from tasks.xas.mcr import Ambiguity
from tasks.xas.mcr import Resolved as Found
from tasks.xas.series_block import Place

_LONG = 600  # minutes


@dataclass(frozen=True)
class Member:
    """A scan of the series: its name, its result in the catalogue, and what that says.

    `path` is that of the result, `place` where its spectrum was put for this run.
    """

    name: str
    dataset: str
    path: Path
    verdict: str
    facts: ReducedFacts
    place: Place


@dataclass(frozen=True)
class Axis:
    """Where the scans of a series lie, (scans,): a time in `unit`, or a number without one."""

    values: Floats
    unit: str = ""

    @property
    def name(self) -> str:
        """What stands below a picture."""
        return f"time since the first scan ({self.unit})" if self.unit else "scan"


@dataclass(frozen=True)
class Members:
    """The scans of a series that are reduced together, and by which recipe.

    Attributes
    ----------
    kept : sequence of Member
        In the order in which they were taken.
    left_out : sequence of (str, str)
        Names of the others, and why.
    recipe : flows.xas.recipe.Recipe
        By which spectra and fits are made.
    doubts : dict
        Sentences by rule.
    """

    kept: Sequence[Member]
    left_out: Sequence[tuple[str, str]]
    recipe: ScanRecipe
    doubts: Doubts = field(default_factory=Doubts)

    @property
    def starts(self) -> list[datetime] | None:
        """When each began, if all files say so and not all the same."""
        found = [each.facts.started_at for each in self.kept]
        known = [each for each in found if each is not None]
        return known if len(known) == len(found) and known[0] < known[-1] else None

    @property
    def axis(self) -> Axis:
        """Time since the first scan, in minutes or, from ten hours on, in hours; else numbers."""
        starts = self.starts
        if starts is None:
            return Axis(np.arange(float(len(self.kept))))
        minutes = np.array([(each - starts[0]).total_seconds() / 60 for each in starts])
        return Axis(minutes, "min") if minutes[-1] < _LONG else Axis(minutes / 60, "h")


@dataclass(frozen=True)
class Gridded:
    """The scans on one grid: what was measured, their absorption per edge step, their energies."""

    opened: Opened
    sweeps: Sweeps
    sigma: Floats
    alignment: Alignment


@dataclass(frozen=True)
class Resolved:
    """Components found without standards, on `energy` (points,), and how far others could lie."""

    energy: Floats
    found: Found
    ambiguity: Ambiguity


@dataclass(frozen=True)
class Explained:
    """What the series is made of; None where it was not asked or cannot be told."""

    interpreted: Interpreted
    resolved: Resolved | None = None
    groups: Clusters | None = None
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Result:
    """Everything that a run of a series found."""

    members: Members
    gridded: Gridded
    spectrum: Spectrum
    explained: Explained

    @property
    def doubts(self) -> Doubts:
        """All sentences by rule, in the order of the stages."""
        found: Doubts = {}
        gridded, explained = self.gridded, self.explained
        for part in (
            self.members,
            gridded.alignment,
            gridded.sweeps,
            self.spectrum,
            explained.interpreted,
            explained,
        ):
            for rule, sentences in part.doubts.items():
                found[rule] = (*found.get(rule, ()), *sentences)
        return found
