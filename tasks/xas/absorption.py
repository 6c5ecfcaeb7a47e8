"""
From detector readings to absorption.

Transmission: mu t = ln(I0/I1); reference foil: ln(I1/I2); fluorescence: the sum over the channels
divided by I0 (G. Bunker, *Introduction to XAFS*, Cambridge University Press 2010, chapters 3-4).
Dark currents are subtracted and gains divided out first. A gain that is not known shifts mu by a
constant in transmission, which the pre-edge line takes away, and scales it in fluorescence, which
the edge step takes away.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, namespace
from tasks.errors import DataError
from tasks.io.spectra import F, Mode, RawSpectra

PerSweep = Mapping[str, float | F]
"""A number for all sweeps, or (sweeps,) of them, by name of channel."""


@dataclass(frozen=True)
class Absorption:
    """
    Absorption of a block of sweeps on the energies as recorded.

    Attributes
    ----------
    energy
        In eV, (sweeps, points).
    mu
        Of the sample, (sweeps, points); NaN where a detector read nothing.
    reference
        Of the reference foil, (sweeps, points), where it was measured.
    i0
        Incident intensity without dark current, (sweeps, points), where it is known.
    missing, reference_missing
        Points of each sweep without a value, (sweeps,).
    """

    energy: F
    mu: F
    reference: F | None
    i0: F | None
    missing: F
    reference_missing: F | None


def absorption(
    raw: RawSpectra,
    mode: Mode,
    *,
    dark: PerSweep | None = None,
    gain: PerSweep | None = None,
    bad_channels: Collection[int] = (),
) -> Absorption:
    """
    Reduce detector readings to absorption; absorption that the file holds itself is taken as it is.

    Parameters
    ----------
    raw
        Readings of a block of sweeps; fluorescence corrected for dead time.
    mode
        How the sample was measured.
    dark, gain
        Dark current and amplifier gain by channel (``i0``, ``i1``, ``i2``), for all sweeps or one
        for each; they go before what the file says.
    bad_channels
        Fluorescence channels to leave out, counted from 0.

    Raises
    ------
    DataError
        If the channels that this mode needs are not there.
    """
    clean = {
        name: _clean(values, name, raw, dark or {}, gain or {})
        for name, values in (("i0", raw.i0), ("i1", raw.i1), ("i2", raw.i2))
        if values is not None
    }
    mu = raw.mu.get(mode)
    if mu is None:
        mu = _transmission(clean) if mode == "transmission" else _sum(raw, clean, bad_channels)
    reference = raw.mu.get("reference")
    if reference is None and "i1" in clean and "i2" in clean:
        reference = minus_log_ratio(clean["i2"], clean["i1"])
    return Absorption(
        energy=raw.energy,
        mu=mu,
        reference=reference,
        i0=clean.get("i0"),
        missing=np.isnan(mu).sum(axis=1),
        reference_missing=None if reference is None else np.isnan(reference).sum(axis=1),
    )


@algorithm("xas.minus_log_ratio", version="1", rtol=1e-12)
def minus_log_ratio(after: Array, before: Array) -> Array:
    """
    Absorption between two detectors, ``ln(before / after)``; NaN where either is not above zero.

    Parameters
    ----------
    after, before
        Intensities behind and before the absorber, same shape.
    """
    xp = namespace(after, before)
    valid = (after > 0) & (before > 0)
    return xp.where(valid, xp.log(_where_valid(xp, valid, before, after)), xp.nan)


@algorithm("xas.yield_ratio", version="1", rtol=1e-12)
def yield_ratio(counts: Array, incident: Array) -> Array:
    """
    Fluorescence per incident photon, the channels summed; NaN without beam.

    Parameters
    ----------
    counts
        Shape (channels, sweeps, points); a NaN stays in the sum.
    incident
        Shape (sweeps, points).
    """
    xp = namespace(counts, incident)
    summed, valid = xp.sum(counts, axis=0), incident > 0
    return xp.where(valid, _where_valid(xp, valid, summed, incident), xp.nan)


@minus_log_ratio.case
def two_detectors() -> Inputs:
    """Make intensities before and behind an absorber."""
    rng = np.random.default_rng(0)
    after, before = rng.uniform(1, 2, (2, 3, 8))
    return (after, before), {}


@yield_ratio.case
def three_channels() -> Inputs:
    """Make three channels."""
    rng = np.random.default_rng(1)
    counts, incident = rng.uniform(1, 2, (3, 2, 8)), rng.uniform(1, 2, (2, 8))
    return (counts, incident), {}


def _where_valid(xp: Array, valid: Array, above: Array, below: Array) -> Array:
    """Divide where it is allowed, and give 1 elsewhere, so that nothing warns."""
    return xp.where(valid, above, 1.0) / xp.where(valid, below, 1.0)


def _clean(values: F, name: str, raw: RawSpectra, dark: PerSweep, gain: PerSweep) -> F:
    zero, factor = dark.get(name, raw.dark.get(name, 0.0)), gain.get(name, raw.gain.get(name, 1.0))
    return (values - _column(zero)) / _column(factor)


def _column(value: float | F) -> F:
    """Make (1, 1) or (sweeps, 1) of it."""
    return np.reshape(np.asarray(value, np.float64), (-1, 1))


def _transmission(clean: Mapping[str, F]) -> F:
    if "i0" not in clean or "i1" not in clean:
        raise DataError(
            "There is no transmission in this scan: it needs the intensity before (I0) and after "
            "(I1) the sample. Name the columns, or choose fluorescence."
        )
    return minus_log_ratio(clean["i1"], clean["i0"])


def _sum(raw: RawSpectra, clean: Mapping[str, F], bad_channels: Collection[int]) -> F:
    if raw.fluorescence is None or "i0" not in clean:
        raise DataError(
            "There is no fluorescence in this scan: it needs the incident intensity (I0) and at "
            "least one fluorescence channel. Name the columns, or choose transmission."
        )
    good = [c for c in range(raw.fluorescence.shape[0]) if c not in bad_channels]
    if not good:
        raise DataError("All fluorescence channels are marked as bad: leave at least one in.")
    return yield_ratio(raw.fluorescence[good], clean["i0"])
