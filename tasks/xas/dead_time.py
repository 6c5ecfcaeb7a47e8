"""
Dead time of fluorescence detectors: counts that came while the detector was busy.

The two classical models are those of G. F. Knoll, *Radiation Detection and Measurement* (Wiley),
chapter 4: a non-paralysable detector registers m = n/(1 + n tau), a paralysable one
m = n exp(-n tau), for n events a second.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, namespace
from tasks.errors import DataError
from tasks.io.spectra import F, RawSpectra

Model = Literal["non-paralysable", "paralysable"]
_STEPS = 6  # of Halley's method; each triples the digits, but close to the maximum it starts slow


def correct_dead_time(
    raw: RawSpectra, tau: float | F | None = None, model: Model = "non-paralysable"
) -> RawSpectra:
    """
    Correct the fluorescence channels for counts lost.

    Where the file holds input and output rates they give the correction; a channel without rates
    stays as it is. A dead time goes before the rates.

    Parameters
    ----------
    raw
        Readings; fluorescence as counts.
    tau
        Dead time in s, one for all channels or (channels,).
    model
        How the detector behaves while it is busy, for a given `tau`.

    Raises
    ------
    DataError
        If `tau` is given but the file does not say how long each point was counted.
    """
    if raw.fluorescence is None:
        return raw
    if tau is not None:
        if raw.count_time is None:
            raise DataError(
                "A dead time needs count rates, but this scan does not say how long each point was "
                "counted: give the counting time, or leave the dead time out."
            )
        busy = np.reshape(np.asarray(tau, np.float64), (-1, 1, 1))
        invert = true_rate_paralysable if model == "paralysable" else true_rate
        live = invert(raw.fluorescence / raw.count_time * busy) / busy
        return replace(raw, fluorescence=live * raw.count_time)
    if raw.input_rate is None or raw.output_rate is None:
        return raw
    counts = correct_by_rates(raw.fluorescence, raw.input_rate, raw.output_rate)
    return replace(raw, fluorescence=counts)


@algorithm("xas.dead_time_by_rates", version="1", rtol=1e-12)
def correct_by_rates(counts: Array, input_rate: Array, output_rate: Array) -> Array:
    """
    Scale counts by what reached the detector over what it registered.

    Parameters
    ----------
    counts, input_rate, output_rate
        Same shape. Where both rates are 0 or unknown (NaN) the counts stay; where events came but
        none were registered the counts are unknown: NaN.
    """
    xp = namespace(counts, input_rate, output_rate)
    known = (input_rate > 0) & (output_rate > 0)
    blind = (input_rate > 0) & (output_rate <= 0)
    ratio = xp.where(known, input_rate, 1.0) / xp.where(known, output_rate, 1.0)
    return xp.where(blind, xp.nan, counts * ratio)


@algorithm("xas.dead_time_non_paralysable", version="1", rtol=1e-12)
def true_rate(registered: Array) -> Array:
    """
    Events for registered ones of a non-paralysable detector, both per dead time.

    Parameters
    ----------
    registered
        Rate times dead time, any shape; from 1 on no rate of events explains it: NaN.
    """
    xp = namespace(registered)
    possible = registered < 1
    return xp.where(possible, registered / xp.where(possible, 1 - registered, 1.0), xp.nan)


@algorithm("xas.dead_time_paralysable", version="1", rtol=1e-10)
def true_rate_paralysable(registered: Array) -> Array:
    """
    Events for registered ones of a paralysable detector, both per dead time, on the lower branch.

    Solves ``x exp(-x) = registered`` by Halley's method from the expansion about the maximum.

    Parameters
    ----------
    registered
        Rate times dead time, any shape; above 1/e no rate of events explains it: NaN.
    """
    xp = namespace(registered)
    top = float(np.exp(-1.0))
    possible = registered <= top
    y = xp.where(possible, registered, top)
    p = xp.sqrt(2 * xp.clip(1 - np.e * y, min=0.0))
    x = xp.where(p < 0.7, 1 - p + p**2 / 3 - 11 / 72 * p**3, y / (1 - xp.where(p < 0.7, 0.0, y)))
    for _ in range(_STEPS):
        wave = xp.exp(-x)
        value, slope, bend = x * wave - y, (1 - x) * wave, (x - 2) * wave
        below = 2 * slope**2 - value * bend
        flat = below <= 1e-24  # at the maximum itself the start is the answer
        x = x - xp.where(flat, 0.0, 2 * value * slope / xp.where(flat, 1.0, below))
    return xp.where(possible, x, xp.nan)


@correct_by_rates.case
def quiet_and_busy() -> Inputs:
    """Make counts with known rates, and with none."""
    counts = np.array([[[10.0, 20.0]]])
    arriving = np.array([[[100.0, 0.0]]])
    registered = np.array([[[80.0, 0.0]]])
    return (counts, arriving, registered), {}


@true_rate.case
def up_to_saturation() -> Inputs:
    """Take rates from none to the most that a detector can register."""
    return (np.linspace(0, 0.99, 25),), {}


@true_rate_paralysable.case
def up_to_the_maximum() -> Inputs:
    """Take rates from none to the most that a detector can register."""
    return (np.linspace(0.0, 0.3678, 37),), {}
