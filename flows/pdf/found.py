"""What the curves of a total-scattering run say, and everything that a run found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flows.pdf.types import Corrected, Doubts, Floats, Opened, Patterns, Transformed
from tasks.pdf.liquids import Coordination, RadialFunctions
from tasks.pdf.structure_fit import StructureFit


@dataclass(frozen=True)
class Parts:
    """What a series of frames is made of.

    Attributes
    ----------
    count : int
        Components.
    reason : str
        Why so many.
    axis, patterns : numpy.ndarray
        Å (distances,), and G(r) of each, (components, distances).
    amounts : numpy.ndarray
        (frames, components).
    """

    count: int
    reason: str
    axis: Floats
    patterns: Floats
    amounts: Floats


@dataclass(frozen=True)
class SeriesPhases:
    """How much of each phase there is along a series.

    Attributes
    ----------
    names : tuple of str
        Of the phases.
    frames : numpy.ndarray
        Numbers of the frames that were fitted, (frames,).
    mass, mass_sigma, atoms, atoms_sigma : numpy.ndarray
        Shares of the mass and of the atoms, (frames, phases).
    rw : numpy.ndarray
        What the phases leave of G(r), (frames,).
    failed : mapping of int to str
        Frames that could not be fitted, and why.
    """

    names: tuple[str, ...]
    frames: NDArray[np.int64]
    mass: Floats
    mass_sigma: Floats
    atoms: Floats
    atoms_sigma: Floats
    rw: Floats
    failed: Mapping[int, str] = field(default_factory=dict[int, str])


@dataclass(frozen=True)
class Normalising:
    """The Eggert-Kaplow iteration: how S(Q) was brought to what is known at low r.

    Attributes
    ----------
    r_min : float
        Foot of the first peak: no atoms are nearer, Å.
    iterations : int
        How many were made.
    converged : bool
        Whether the last one changed hardly anything.
    before, after : float
        Integral of (G + 4 pi rho r)² up to `r_min`, Å⁻³.
    q, s : numpy.ndarray
        S(Q) after it, on an even grid from nearly 0, 1/Å, (points,).
    """

    r_min: float
    iterations: int
    converged: bool
    before: float
    after: float
    q: Floats
    s: Floats


@dataclass(frozen=True)
class Liquid:
    """What the merged pattern says of a liquid or a glass.

    Attributes
    ----------
    radial : RadialFunctions
        g(r), T(r) and the radial distribution function, (distances,) each.
    qmax : float
        Of the transform, 1/Å.
    measured_q, measured_s : numpy.ndarray
        S(Q) before the iteration, 1/Å, (points,).
    normalising : Normalising or None
        The iteration; None where it could not be used.
    shell : Coordination or None
        The first peak and shell of neighbours, where they can be told.
    """

    radial: RadialFunctions
    qmax: float
    measured_q: Floats
    measured_s: Floats
    normalising: Normalising | None
    shell: Coordination | None


@dataclass(frozen=True)
class Interpreted:
    """What the curves say; None where it was not asked or cannot be told.

    Attributes
    ----------
    fits : tuple of StructureFit
        Of the merged G(r), the best first.
    structure : str
        What they say, in a sentence.
    frames : numpy.ndarray
        Numbers of the frames that `similarity` and `parts` are of.
    similarity : numpy.ndarray or None
        Pearson's correlation of their G(r), (frames, frames).
    parts : Parts or None
        What they are made of.
    phases : SeriesPhases or None
        How much of each phase is in them.
    liquid : Liquid or None
        What the merged pattern says of a liquid or a glass.
    """

    fits: tuple[StructureFit, ...] = ()
    structure: str = ""
    frames: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    similarity: Floats | None = None
    parts: Parts | None = None
    phases: SeriesPhases | None = None
    liquid: Liquid | None = None
    notes: tuple[str, ...] = ()
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Result:
    """Everything that a run found."""

    opened: Opened
    patterns: Patterns
    corrected: Corrected
    transformed: Transformed
    interpreted: Interpreted

    @property
    def doubts(self) -> Doubts:
        """All sentences by rule, in the order of the stages."""
        found: Doubts = {}
        parts = (self.opened, self.patterns, self.corrected, self.transformed, self.interpreted)
        for part in parts:
            for rule, sentences in part.doubts.items():
                if sentences:
                    found[rule] = (*found.get(rule, ()), *sentences)
        return found
