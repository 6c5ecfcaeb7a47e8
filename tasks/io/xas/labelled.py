"""A table of labelled columns as channels: energies in eV, rates, dark currents, gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F, Facts, Mode
from tasks.io.xas.channels import Channels, Read, held, without_gaps
from tasks.io.xas.counters import Fluorescence
from tasks.io.xas.elements import edge_energies
from tasks.io.xas.energy import from_angle, scale_to_ev
from tasks.io.xas.labels import CHANNEL_ORDER, Assigned, assign
from tasks.io.xas.words import joined


@dataclass(frozen=True)
class Labelled:
    """
    A table with what its file says about it.

    Attributes
    ----------
    where
        The file and the place in it, for what is told about it.
    values
        (rows, columns).
    labels, units
        One for each column; a unit may be empty.
    announced
        Points that the file announces.
    dark, gain
        By channel name.
    dark_is_per_second
        Whether the dark currents count per second; then channels become rates too.
    uid
        The scan's own, where the acquisition gives one.
    inner_path
        Its name inside the file; empty where there is only one.
    """

    where: str
    values: F
    labels: tuple[str, ...]
    units: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)
    warnings: tuple[str, ...] = ()
    announced: int | None = None
    dark: Mapping[str, float] = field(default_factory=dict[str, float])
    gain: Mapping[str, float] = field(default_factory=dict[str, float])
    dark_is_per_second: bool = False
    uid: str | None = None
    inner_path: str = ""

    def unit(self, column: int) -> str:
        """Return the unit of a column, or an empty text."""
        return self.units[column] if column < len(self.units) else ""


def refusal(where: str, labels: Sequence[str]) -> DataError:
    """Say that the columns of a table cannot be told by their labels."""
    seen = ", ".join(f"'{label}'" for label in labels[:40]) or "none"
    return DataError(
        f"{where}: its columns cannot be told. The labels are {seen}; there must be 'energy' (or "
        f"'angle' with the monochromator's d-spacing) and 'mutrans', or 'i0' with 'itrans', "
        f"'irefer' or 'ifluor'. Label the columns so in the line above the table."
    )


def channels_of(table: Labelled) -> tuple[Channels, Facts, tuple[str, ...]]:
    """
    Make channels of a table.

    Returns
    -------
    The channels, the facts (with the mode, if only one is possible), and warnings.

    Raises
    ------
    DataError
        The columns cannot be told, or too many numbers are missing.
    """
    found = assign(table.labels)
    if not found.is_enough:
        raise refusal(table.where, table.labels)
    energy = _energy(table, found)
    low, high = float(np.nanmin(energy)), float(np.nanmax(energy))
    fluorescence = _live(table, at_an_edge(found.fluorescence, low, high))
    time = _count_time(table, found)
    single = _single(table, found)
    behind = {"i1", "i2"} & set(single) or fluorescence
    if not found.mu and not ("i0" in single and behind):
        raise DataError(
            f"{table.where}: the columns of the detectors hold the same number in every row. "
            f"Check that they were connected, and repeat the scan."
        )
    warnings = _scale_by_gain(table, found, single)
    if table.dark_is_per_second and time is not None:
        single = {name: values / time for name, values in single.items()}
    if time is not None:
        single["count_time"] = time
    counts, input_rate, output_rate = _fluorescence(table, fluorescence, time)
    channels = Channels(
        shape=(1, len(energy)),
        energy=held(energy),
        single={name: held(values) for name, values in single.items()},
        fluorescence=counts,
        input_rate=input_rate,
        output_rate=output_rate,
        mu={name: held(table.values[:, column]) for name, column in found.mu.items()},
        dark={name: value for name, value in table.dark.items() if name in single},
        gain=_gain(table, found),
    )
    channels, gaps = without_gaps(channels, table.where)
    mode = table.facts.mode or (None if found.is_vague else only_mode(channels))
    facts = replace(table.facts, mode=mode)
    return channels, facts, (*table.warnings, *warnings, *gaps)


def _energy(table: Labelled, found: Assigned) -> F:
    if found.energy is not None:
        values = table.values[:, found.energy]
        return values * scale_to_ev(values, table.unit(found.energy), table.where)
    if found.angle is None or table.facts.d_spacing is None:
        raise DataError(
            f"{table.where}: it gives the monochromator's angle but not the d-spacing of its "
            f"crystal, so there are no energies. Write it into the header "
            f"('Mono.d_spacing' in XDI)."
        )
    return from_angle(table.values[:, found.angle], table.facts.d_spacing)


def is_live(values: F) -> bool:
    """Whether a channel counted anything: one that was not connected always says the same."""
    finite = values[np.isfinite(values)]
    return bool(finite.size) and bool(np.any(finite != finite[0]))


def _single(table: Labelled, found: Assigned) -> dict[str, F]:
    columns = {name: found.single[name] for name in CHANNEL_ORDER if name in found.single}
    values = {name: table.values[:, column] for name, column in columns.items()}
    return {name: each for name, each in values.items() if is_live(each)}


def _count_time(table: Labelled, found: Assigned) -> F | None:
    column = found.single.get("count_time")
    if column is None or np.any(table.values[:, column] <= 0):
        return None
    in_ms = joined(table.labels[column]).endswith("msec") or table.unit(column) == "ms"
    return table.values[:, column] * (1e-3 if in_ms else 1.0)


def at_an_edge(
    channels: tuple[Fluorescence, ...], low: float, high: float
) -> tuple[Fluorescence, ...]:
    """Keep the lines of the element whose edge was scanned, if some channels are of such a line."""
    scanned = {
        element
        for element in {each.element for each in channels if each.element}
        if any(low < edge < high for edge in edge_energies(element).values())
    }
    return tuple(each for each in channels if each.element in scanned) or channels


def _live(table: Labelled, channels: tuple[Fluorescence, ...]) -> tuple[Fluorescence, ...]:
    return tuple(each for each in channels if is_live(table.values[:, each.column]))


def _fluorescence(
    table: Labelled, channels: tuple[Fluorescence, ...], time: F | None
) -> tuple[list[Read], list[Read], list[Read]]:
    """Return counts, input rates and output rates of the channels, where all have rates."""
    counts = [held(_counts(table, each, time)) for each in channels]
    input_rates: list[Read] = []
    output_rates: list[Read] = []
    for each in channels:
        if each.output_rate is None:
            return counts, [], []
        per_second = 1.0 if time is None or "count" not in _said(table, each) else 1 / time
        output = table.values[:, each.output_rate] * per_second
        if each.factor is not None:
            entered = output * table.values[:, each.factor]
        elif each.input_rate is not None:
            entered = table.values[:, each.input_rate] * per_second
        else:
            return counts, [], []
        input_rates.append(held(entered))
        output_rates.append(held(output))
    return counts, input_rates, output_rates


def _counts(table: Labelled, channel: Fluorescence, time: F | None) -> F:
    """Return a channel's counts; its dark counts, for which `RawSpectra` has no room, are off."""
    values = table.values[:, channel.column]
    if not table.dark_is_per_second or time is None:
        return values
    return values / time - table.dark.get(table.labels[channel.column], 0.0)


def _said(table: Labelled, channel: Fluorescence) -> str:
    """Return label and unit of a channel's output rate: they may say that it is a count."""
    column = channel.output_rate or 0
    return f"{table.labels[column]} {table.unit(column)}".lower()


def _gain(table: Labelled, found: Assigned) -> dict[str, float]:
    """Return the gains that the header gives, and those of the columns, as powers of ten."""
    first = {name: float(table.values[0, column]) for name, column in found.gains.items()}
    return {name: 10.0**value for name, value in first.items()} | dict(table.gain)


def _scale_by_gain(table: Labelled, found: Assigned, single: dict[str, F]) -> tuple[str, ...]:
    """Bring channels whose amplifier was switched during the scan to its first gain."""
    warnings: list[str] = []
    for name, column in found.gains.items():
        change = table.values[:, column] - table.values[0, column]
        if name in single and np.any(change):
            single[name] = single[name] * 10.0**-change
            warnings.append(
                f"{table.where}: the gain of {name} was changed during the scan; its values are "
                f"scaled to the first gain."
            )
    return tuple(warnings)


def only_mode(channels: Channels) -> Mode | None:
    """Return how the sample was measured, if the channels allow but one way."""
    transmission = "i1" in channels.single or "transmission" in channels.mu
    fluorescence = bool(channels.fluorescence) or "fluorescence" in channels.mu
    if transmission == fluorescence:
        return None
    return "transmission" if transmission else "fluorescence"
