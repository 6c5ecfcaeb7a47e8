"""What the stages of the XAS flow hand to one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.spectra import Mode, ScanReference
from tasks.xas.mback import Matched
from tasks.xas.normalise import Windows
from tasks.xas.standards import Foil, Scale

Floats = NDArray[np.float64]
Doubts = dict[str, tuple[str, ...]]
"""Sentences for the user, by the rule of the verdict that they belong to."""


@dataclass(frozen=True)
class Opened:
    """A scan that can be reduced: what it is, and how it was measured.

    Attributes
    ----------
    spectra : ScanReference
        Where it stands.
    sweeps : tuple of (int, int)
        First point and one past the last of each sweep in a stream; empty where the data are
        (sweeps, points) already.
    shape : tuple of int
        Sweeps, and points in the longest.
    mode : str
        transmission or fluorescence.
    element, edge : str
        Symbol and edge.
    nominal_e0 : float
        Tabulated energy of the edge in eV.
    foil : str or None
        Element of the reference foil, if its channel shows one.
    no_foil : str
        Why there is none.
    title : str
        What the data call themselves.
    metadata : dict
        What the data say.
    doubts : dict
        Sentences by rule.
    """

    spectra: ScanReference
    sweeps: tuple[tuple[int, int], ...]
    shape: tuple[int, int]
    mode: Mode
    element: str
    edge: str
    nominal_e0: float
    foil: str | None
    title: str
    metadata: Mapping[str, Any]
    no_foil: str = ""
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Alignment:
    """How the recorded energies are put right: recorded + shift + offset is the energy.

    Attributes
    ----------
    shift, sigma : numpy.ndarray
        Of each sweep against the others, and its standard uncertainty, in eV, (sweeps,).
    offset : float
        Of all, from the foil's tabulated energy and the recipe, in eV.
    offset_sigma : float
        Its standard uncertainty in eV; NaN where nothing was calibrated.
    table : str
        Whose foil energies were used; empty for none.
    energy : tuple of float
        Lowest and highest energy that all sweeps reach, as recorded.
    foil : Foil or None
        The reference foil, merged, on the scale that all this leads to.
    doubts : dict
        Sentences by rule.
    """

    shift: Floats
    sigma: Floats
    offset: float
    offset_sigma: float
    table: str
    energy: tuple[float, float]
    foil: Foil | None = None
    doubts: Doubts = field(default_factory=Doubts)

    def scale(self, edge: str) -> Scale:
        """Return what the energies hang on, for those who compare with others."""
        return Scale(edge, self.table, float(np.nan_to_num(self.offset_sigma)), self.foil)

    @property
    def is_aligned(self) -> bool:
        """Whether the sweeps' own foils said how far each is off."""
        return bool(np.isfinite(self.sigma).any())


@dataclass(frozen=True)
class Sweeps:
    """All sweeps on one energy grid.

    Attributes
    ----------
    energy : numpy.ndarray
        Grid in eV, (points,).
    mu : numpy.ndarray
        Absorption, (sweeps, points), mapped from the disk.
    noise : numpy.ndarray
        Standard deviation of a point of each sweep, (sweeps,).
    left_out : dict of int to str
        Sweeps that were rejected, and why.
    glitches : int
        Points that were taken out, all sweeps together.
    density : numpy.ndarray or None
        Points measured for each of the grid, (points,); None for one each.
    doubts : dict
        Sentences by rule.
    """

    energy: Floats
    mu: Floats
    noise: Floats
    left_out: Mapping[int, str]
    glitches: int = 0
    density: Floats | None = None
    doubts: Doubts = field(default_factory=Doubts)

    @property
    def kept(self) -> NDArray[np.int64]:
        """Numbers of the sweeps that count."""
        return np.setdiff1d(np.arange(len(self.mu)), list(self.left_out))

    @property
    def correlated(self) -> Floats:
        """By how much the noise of a point counts for more where the grid is finer, (points,).

        Points in between say nothing of their own: noise that were independent from one point of
        the grid to the next would have to be so much larger for the same effect on sums.
        """
        one = np.ones(len(self.energy))
        return one if self.density is None else 1 / np.sqrt(np.maximum(self.density, 1e-3))


@dataclass(frozen=True)
class Spectrum:
    """The merged spectrum and its normalisation; `norms` holds that of every sweep.

    Attributes
    ----------
    energy, mu, sigma, norm, norm_sigma, flat, pre_edge, post_edge : numpy.ndarray
        (points,).
    e0, edge_step, edge_step_sigma : float
        Edge energy in eV, edge step and its standard uncertainty.
    norms : numpy.ndarray
        Normalised sweeps, (sweeps, points), mapped from the disk.
    edge_steps : numpy.ndarray
        Of each sweep, (sweeps,).
    alpha : float or None
        For which over-absorption `norm`, `flat` and `norms` were corrected; None for none.
    matched : Matched or None
        The merged spectrum normalised by the tables (MBACK), where the recipe asks for it.
    doubts : dict
        Sentences by rule.
    """

    energy: Floats
    mu: Floats
    sigma: Floats
    norm: Floats
    norm_sigma: Floats
    flat: Floats
    pre_edge: Floats
    post_edge: Floats
    e0: float
    edge_step: float
    edge_step_sigma: float
    windows: Windows
    norms: Floats
    edge_steps: Floats
    alpha: float | None = None
    matched: Matched | None = None
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Exafs:
    """EXAFS of the merged spectrum: k in 1/Å, R in Å (not corrected for phase)."""

    k: Floats
    chi: Floats
    r: Floats
    chi_r: NDArray[np.complex128]
    k_range: tuple[float, float]
    r_peak: float


@dataclass(frozen=True)
class Composition:
    """Linear combinations of standards: of the merged spectrum (first row) and of each sweep.

    Attributes
    ----------
    names, ids : sequence of str
        The standards, and their identities in the spectral library.
    library, digest : str
        Where they come from, and what it held.
    energy, data, standards : numpy.ndarray
        What was fitted on which grid: (points,), (points,), (standards, points).
    fractions, sigma : numpy.ndarray
        Of the merged spectrum, (standards,).
    r_factor, redchi : float
        Of its fit.
    sweep_fractions, sweep_sigma : numpy.ndarray
        (sweeps, standards); NaN rows for those left out.
    sweep_r_factor : numpy.ndarray
        (sweeps,).
    doubts : dict
        Sentences by rule.
    """

    names: Sequence[str]
    ids: Sequence[str]
    library: str
    digest: str
    energy: Floats
    data: Floats
    standards: Floats
    fractions: Floats
    sigma: Floats
    r_factor: float
    redchi: float
    sweep_fractions: Floats
    sweep_sigma: Floats
    sweep_r_factor: Floats
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Target:
    """A standard tried against the components; a spoil below 3 speaks for it."""

    name: str
    residual: float
    spoil: float
    possible: bool


@dataclass(frozen=True)
class Components:
    """Principal components of the sweeps: their number by two criteria, loadings and scores."""

    energy: Floats
    loadings: Floats
    scores: Floats
    levels: Mapping[str, Floats]
    by_indicator: int
    by_noise: int
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Match:
    """Library spectra that come nearest, the best first; `is_match` tells whether it is one."""

    names: Sequence[str]
    ids: Sequence[str]
    scores: Sequence[float]
    confidence: float
    is_match: bool
    sentence: str
    energy: Floats
    data: Floats
    candidates: Floats


@dataclass(frozen=True)
class Interpreted:
    """What the spectra are made of; None where it was not asked or cannot be told."""

    composition: Composition | None = None
    components: Components | None = None
    match: Match | None = None
    notes: tuple[str, ...] = ()
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Result:
    """Everything that a run found."""

    opened: Opened
    alignment: Alignment
    sweeps: Sweeps
    spectrum: Spectrum
    exafs: Exafs | None
    no_exafs: str
    interpreted: Interpreted
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])

    @property
    def doubts(self) -> Doubts:
        """All sentences by rule, in the order of the stages."""
        found: Doubts = {}
        parts = (self.opened, self.alignment, self.sweeps, self.spectrum, self.interpreted)
        for part in parts:
            for rule, sentences in part.doubts.items():
                if sentences:
                    found[rule] = (*found.get(rule, ()), *sentences)
        return found
