"""
G(r) of crystals as diffpy.pdffit2 calculates it, as a function of a list of parameters.

pdffit2 (C. L. Farrow et al., J. Phys.: Condens. Matter 19, 335219 (2007)) writes to the console
from compiled code, takes any value (a negative U makes G(r) a series of NaN), and its calculated
curve depends on where it begins. So here it only calculates: silenced, one engine per model, from
r = 0 on, with parameters that keep the symmetry and have bounds.
"""

import importlib
import io
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.pdf.crystal import Crystal, Site, metric

Thermal = Literal["element", "site", "anisotropic"]
Refined = Literal["cell", "thermal", "scale", "delta2", "qdamp", "spdiameter"]
Radiation = Literal["X", "N"]

_AXES = ("a", "b", "c", "alpha", "beta", "gamma")
_TENSOR = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
_MARGIN = 3.0  # Å calculated beyond the last point: ripples come from there
_STRETCH = 0.06  # of a length of the cell
_TILT = 4.0  # degrees of an angle of the cell
_U = (1e-4, 0.15)  # Å²
_BOND = 0.5  # Å: atoms nearer than that share a place
_SHARE = 0.95  # of the nearest distance squared, which delta2 must stay below


@dataclass(frozen=True)
class Parameter:
    """
    One parameter of a fit.

    Attributes
    ----------
    name
        ``a``, ``U_Ni``, ``scale``...; with the phase before it where there are several.
    start, low, high
        Where it starts, and between what it may be.
    phase
        Which crystal it belongs to, from 0; None for what belongs to the measurement.
    """

    name: str
    start: float
    low: float
    high: float
    phase: int | None = None


@dataclass(frozen=True)
class Setting:
    """
    What is fitted, and what is known.

    Attributes
    ----------
    qmax
        Where F(Q) was cut, 1/Å; the model has the same ripples.
    qdamp
        Damping by the resolution in Q, 1/Å: G falls as exp(-(r qdamp)²/2).
    qbroad
        Broadening of peaks by the resolution, 1/Å.
    refine
        Groups of parameters that are free.
    thermal
        One isotropic U per element, per site, or the tensor that the site's symmetry allows.
    radiation
        X-rays (atoms weigh as their number of electrons) or neutrons.
    """

    qmax: float
    qdamp: float = 0.0
    qbroad: float = 0.0
    refine: tuple[Refined, ...] = ("cell", "thermal", "scale", "delta2")
    thermal: Thermal = "element"
    radiation: Radiation = "X"


class Model:
    """
    G(r) of crystals as a function of parameters.

    Parameters
    ----------
    crystals
        One, or the phases of a mixture.
    r
        Where G is wanted, equidistant, Å, shape (points,).
    setting
        What is free.

    Raises
    ------
    DataError
        If pdffit2 cannot take a crystal; the sentence says why.
    """

    def __init__(self, crystals: Sequence[Crystal], r: F, setting: Setting) -> None:
        self.crystals, self.r, self.setting = tuple(crystals), r, setting
        self.parameters: list[Parameter] = []
        self._apply: list[Callable[[float], None]] = []
        self._tensors: list[list[F]] = [
            [np.zeros((3, 3)) for _ in crystal.sites] for crystal in crystals
        ]
        step = (r[-1] - r[0]) / (len(r) - 1)
        before, after = int((r[0] - 1e-9) / step), int(np.ceil(_MARGIN / step))
        self._wanted = slice(before, before + len(r))
        self._fit = _start(
            self.crystals,
            setting,
            r[0] - before * step,
            r[-1] + after * step,
            before + len(r) + after,
        )
        for phase, crystal in enumerate(self.crystals):
            self._add_phase(phase, crystal)
        self._add_resolution()

    def calculate(self, values: Sequence[float] | F) -> F:
        """
        Calculate G(r), Å⁻², shape (points,), for the values of the parameters.

        Raises
        ------
        DataError
            If pdffit2 cannot calculate it.
        """
        for tensors in self._tensors:
            for tensor in tensors:
                tensor[:] = 0
        for apply, value in zip(self._apply, values, strict=True):
            apply(float(value))
        self._set_tensors()
        with _sentences("The curve"):
            self._fit.calc()
        return np.asarray(self._fit.getpdf_fit(), dtype=np.float64)[self._wanted]

    def weight(self, phase: int) -> float:
        """Mean scattering of an atom of a phase, as pdffit2 weighs it."""
        atoms = self.crystals[phase].atoms
        stype = self.setting.radiation
        total = sum(count * self._fit.get_scat(stype, name) for name, count in atoms.items())
        return float(total / sum(atoms.values()))

    def _add(self, parameter: Parameter, apply: Callable[[float], None]) -> None:
        self.parameters.append(parameter)
        self._apply.append(apply)

    def _add_phase(self, phase: int, crystal: Crystal) -> None:
        prefix = f"{crystal.name}:" if len(self.crystals) > 1 else ""
        refine = self.setting.refine
        self._cell(phase, crystal, prefix, free="cell" in refine)
        self._thermal(phase, crystal, prefix, free="thermal" in refine)
        if "scale" in refine:
            self._variable(Parameter(f"{prefix}scale", 1.0, 0.0, np.inf, phase), "pscale")
        if "delta2" in refine:
            high = _SHARE * _nearest(crystal) ** 2
            self._variable(Parameter(f"{prefix}delta2", 0.3 * high, 0.0, high, phase), "delta2")
        if "spdiameter" in refine:
            most = 20 * float(self.r[-1])
            start = 3 * float(self.r[-1])
            self._variable(Parameter(f"{prefix}spdiameter", start, 2.0, most, phase), "spdiameter")

    def _add_resolution(self) -> None:
        if "qdamp" in self.setting.refine:
            start = self.setting.qdamp or 0.04
            self._variable(Parameter("qdamp", start, 0.0, 0.3), "qdamp")

    def _variable(self, parameter: Parameter, name: str) -> None:
        """Add a parameter that is one variable of pdffit2."""

        def apply(value: float) -> None:
            if parameter.phase is not None:
                self._fit.setphase(parameter.phase + 1)
            self._fit.setvar(name, value)

        self._add(parameter, apply)

    def _cell(self, phase: int, crystal: Crystal, prefix: str, *, free: bool) -> None:
        for tied in crystal.free_cell if free else ():
            start = float(np.mean(crystal.cell[list(tied)]))
            room = _STRETCH * start if tied[0] < 3 else _TILT

            def apply(value: float, tied: tuple[int, ...] = tied) -> None:
                self._fit.setphase(phase + 1)
                for k in tied:
                    self._fit.setvar(f"lat({k + 1})", value)

            name = prefix + _AXES[tied[0]]
            self._add(Parameter(name, start, start - room, start + room, phase), apply)

    def _thermal(self, phase: int, crystal: Crystal, prefix: str, *, free: bool) -> None:
        if not free:
            return
        if self.setting.thermal == "anisotropic":
            for k, site in enumerate(crystal.sites):
                self._anisotropic(phase, k, site, prefix)
            return
        groups: dict[str, list[int]] = {}
        for k, site in enumerate(crystal.sites):
            key = site.element if self.setting.thermal == "element" else site.label
            groups.setdefault(key, []).append(k)
        round_tensor = _isotropic(crystal)
        for key, members in groups.items():
            start = float(np.mean([crystal.sites[k].u_iso for k in members]))
            parameter = Parameter(f"{prefix}U_{key}", start, *_U, phase)

            def apply(value: float, members: list[int] = members) -> None:
                for k in members:
                    self._tensors[phase][k] += value * round_tensor

            self._add(parameter, apply)

    def _anisotropic(self, phase: int, k: int, site: Site, prefix: str) -> None:
        crystal = self.crystals[phase]
        flat = site.tensors.reshape(len(site.tensors), 9)
        start = np.linalg.lstsq(flat.T, site.u_iso * _isotropic(crystal).ravel())[0]
        for tensor, value in zip(site.tensors, start, strict=True):
            i, j = next(place for place in _TENSOR if abs(tensor[place]) > 0.999)
            low = _U[0] if i == j else -_U[1]

            def apply(value: float, tensor: F = tensor) -> None:
                self._tensors[phase][k] += value * tensor

            name = f"{prefix}U{i + 1}{j + 1}_{site.label}"
            self._add(Parameter(name, float(value), low, _U[1], phase), apply)

    def _set_tensors(self) -> None:
        if "thermal" not in self.setting.refine:
            return
        for phase, crystal in enumerate(self.crystals):
            self._fit.setphase(phase + 1)
            atom = 0
            for site, tensor in zip(crystal.sites, self._tensors[phase], strict=True):
                turned = site.rotations @ tensor @ np.swapaxes(site.rotations, 1, 2)
                for each in turned:
                    atom += 1
                    for i, j in _TENSOR:
                        self._fit.setvar(f"u{i + 1}{j + 1}({atom})", float(each[i, j]))


def _diffpy() -> Any:
    return importlib.import_module("diffpy.structure")


@cache
def _pdffit2() -> Any:
    """Import pdffit2 when it is needed, and send what it prints nowhere."""
    module = importlib.import_module("diffpy.pdffit2")
    module.redirect_stdout(_Nowhere())
    return module


class _Nowhere(io.StringIO):
    def write(self, text: str, /) -> int:
        return len(text)


@contextmanager
def _sentences(what: str) -> Generator[None]:
    """Turn the errors of pdffit2 into a sentence."""
    engine = _pdffit2().pdffit2
    known = (
        engine.calculationError,
        engine.structureError,
        engine.dataError,
        engine.unassignedError,
        ValueError,
    )
    try:
        yield
    except known as error:
        raise DataError(
            f"{what} cannot be calculated: {' '.join(str(error).split())}. Look at the elements "
            "and coordinates of the structure."
        ) from error


def _start(
    crystals: Sequence[Crystal], setting: Setting, low: float, high: float, points: int
) -> Any:
    fit = _pdffit2().PdfFit(create_intro=False)
    for crystal in crystals:
        with _sentences(f"The curve of {crystal.name}"):
            fit.add_structure(_as_diffpy(crystal))
    fit.alloc(setting.radiation, setting.qmax, setting.qdamp, float(low), float(high), points)
    fit.setvar("qbroad", setting.qbroad)
    return fit


def _as_diffpy(crystal: Crystal) -> Any:
    diffpy = _diffpy()
    return diffpy.Structure(
        [
            diffpy.Atom(site.element, place, occupancy=site.occupancy, Uisoequiv=site.u_iso)
            for site in crystal.sites
            for place in site.positions
        ],
        diffpy.Lattice(*crystal.cell),
    )


def _isotropic(crystal: Crystal) -> F:
    """Tensor of a displacement that is the same in all directions, in the axes of the cell."""
    return np.asarray(_diffpy().Lattice(*crystal.cell).isotropicunit, dtype=np.float64)


def _nearest(crystal: Crystal) -> float:
    """Shortest distance between two atoms, Å."""
    places = np.concatenate([site.positions for site in crystal.sites])
    first = np.stack([site.positions[0] for site in crystal.sites])
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3)
    apart = first[:, None] - places
    apart = (apart - np.round(apart))[:, :, None] + shifts
    squares = np.einsum("abci,ij,abcj->abc", apart, metric(crystal.cell), apart)
    return float(np.sqrt(np.min(squares[squares > _BOND**2])))
