"""
Columns by their labels: which one is the energy, which ones are the channels.

The labels of the XAS Data Interchange dictionary are known (``energy``, ``i0``, ``itrans``,
``irefer``, ``ifluor``, ``mutrans``...), and those that beamlines write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tasks.io.xas.elements import line_element

SUFFIX = re.compile(r"_c\d+$")
READ_BACK = {"enc", "fbk", "feedback", "readback", "rbv", "achieved", "attained", "real"}
REQUESTED = {"requested", "request", "sp", "setpoint", "nominal", "target", "set"}
OF_CHANNELS = {"corr", "raw", "dark", "gain", "sens", "offset", "dt", "dtc", "std", "err", "sigma"}
NAMES: dict[str, tuple[set[str], set[str]]] = {
    # the whole label, or one word of it
    "i0": ({"mon", "monitor", "incident", "izero", "ic0"}, {"i0", "io"}),
    "i1": (
        {"it", "trans", "transmitted", "transmission", "ion1", "ic1"},
        {"i1", "itrans"},
    ),
    "i2": ({"ir", "refer", "ion2", "ic2"}, {"i2", "iref", "irefer"}),
    "count_time": (
        {"time", "times", "seconds", "sec", "realtimeclock", "scalerpresettime", "acqdwellmsec"}
        | {"measurementtime"},
        {"counttime", "inttime", "integrationtime"},
    ),
    "transmission": (
        {"mutrans", "mut", "mu", "mux", "xmu", "mue", "absorption", "absorbance", "normtrans"}
        | {"norm", "flat"},
        set(),
    ),
    "fluorescence": ({"mufluor", "muf", "normfluor"}, set()),
    "reference": ({"murefer", "muref", "normrefer"}, set()),
}
MU = ("transmission", "fluorescence", "reference")
CHANNEL_ORDER = ("i0", "i1", "i2")
VAGUE = {"mu", "mux", "xmu", "mue", "norm", "flat"}
"""Absorption of whatever kind."""
NUMBERED = {
    # HXMA of the Canadian Light Source names its counters, not what they count; which is which
    # shows in the counts: one rises at the edge, one does not care, two fall
    "bl1606id1mcs03fbk": "ifluor",
    "bl1606id1mcs04fbk": "i0",
    "bl1606id1mcs05fbk": "itrans",
    "bl1606id1mcs06fbk": "irefer",
    "bl1606id1mcsdelay": "acqdwellmsec",
}
FLUORESCENCE = {"if", "ifl", "iff", "ifluor", "ifluo", "fluor", "fluo", "fluorescence", "lytle"}
COUNTED = re.compile(r"(ifluor|fluor|fluo|dtc|roi|sca|ge|xmaproi)_?(\d+)")
NOT_COUNTS = {"dxp", "icr", "ocr", "gain", "fbk", "live", "real", "clock", "dtfactor"}
INPUT = re.compile(r"(true)?icr\d*|input(counts|rate)\d*")
OUTPUT = re.compile(r"ocr\d*|output(counts|rate)\d*")
FACTOR = re.compile(r"dtfactor\d*|deadtimefactor\d*")
DETECTOR_NUMBER = re.compile(r"(?:d|det|mca|roi|icr|ocr|dtc|ch|sca|fluo|fluor|ifluor|ge)?(\d+)")
Kind = Literal["raw", "corrected", "sum"]


def words(label: str) -> list[str]:
    """Return the words of a label, in small letters."""
    plain = SUFFIX.sub("", label.strip().lower())
    return [word for word in re.split(r"[^a-z0-9]+", plain) if word]


def joined(label: str) -> str:
    """Return a label in small letters without anything between its words."""
    name = "".join(words(label))
    return NUMBERED.get(name, name)


@dataclass(frozen=True)
class Fluorescence:
    """One fluorescence channel: its column, and those that tell its dead time."""

    column: int
    kind: Kind
    number: int | None
    element: str | None
    input_rate: int | None = None
    output_rate: int | None = None
    factor: int | None = None


@dataclass(frozen=True)
class Assigned:
    """
    Which column, from 0, is what.

    Absorption of whatever kind counts as transmission, and ``is_vague`` then.

    Attributes
    ----------
    single
        Columns of ``i0``, ``i1``, ``i2``, ``count_time``.
    mu
        Columns that hold absorption itself, by ``transmission``, ``fluorescence``, ``reference``.
    gains
        Columns with the amplifier's gain, by channel.
    """

    energy: int | None = None
    angle: int | None = None
    single: dict[str, int] = field(default_factory=dict[str, int])
    mu: dict[str, int] = field(default_factory=dict[str, int])
    fluorescence: tuple[Fluorescence, ...] = ()
    gains: dict[str, int] = field(default_factory=dict[str, int])
    is_vague: bool = False

    @property
    def has_axis(self) -> bool:
        """Whether there is an energy, or an angle to make it of."""
        return self.energy is not None or self.angle is not None

    @property
    def is_enough(self) -> bool:
        """Whether absorption can be had from these columns."""
        behind = "i1" in self.single or "i2" in self.single or self.fluorescence
        return self.has_axis and bool(self.mu or ("i0" in self.single and behind))


def assign(labels: Sequence[str]) -> Assigned:
    """Tell from their labels what the columns are; each is one thing at most."""
    best = {name: _best(labels, name) for name in NAMES}
    known = {name: column for name, column in best.items() if column is not None}
    raw = Assigned(
        energy=_first(labels, _energy_rank),
        angle=_first(labels, _angle_rank),
        single={name: column for name, column in known.items() if name not in MU},
        fluorescence=_fluorescence(labels, set(known.values())),
        gains=_gains(labels, known),
    )
    mu = {name: column for name, column in known.items() if name in MU}
    vague = {name for name, column in mu.items() if joined(labels[column]) in VAGUE}
    if raw.is_enough:  # then it need not be guessed how a vague one was measured
        mu = {name: column for name, column in mu.items() if name not in vague}
    return replace(raw, mu=mu, is_vague=bool(vague & set(mu)))


def _first(labels: Sequence[str], rank: Callable[[str], int | None]) -> int | None:
    """Return the column of the lowest rank, the first of several."""
    ranked = [(found, column) for column, label in enumerate(labels) if (found := rank(label))]
    return min(ranked)[1] if ranked else None


def _energy_rank(label: str) -> int | None:
    """Rank what may be the energy: where the monochromator was before where it should have been."""
    name, among = joined(label), set(words(label))
    if name in ("energy", "energyev", "energykev", "e", "ev"):
        return 1
    is_energy = "energy" in among or name.startswith("energy") or name.endswith("energy")
    if not is_energy or "edge" in name or among & {"loss", "rec", "ring"}:
        return None
    if among & READ_BACK or any(name.endswith(word) for word in READ_BACK):
        return 2
    return 4 if among & REQUESTED else 3


def _angle_rank(label: str) -> int | None:
    among = words(label)
    if "angle" in among or "bragg" in among or "theta" in among:
        return 2 if "o" in among else 1
    return None


def _best(labels: Sequence[str], name: str) -> int | None:
    whole, one_word = NAMES[name]

    def rank(label: str) -> int | None:
        if joined(label) in whole | one_word:
            return 2 if joined(label) in VAGUE else 1
        among = words(label)
        fits = any(word in one_word for word in among) and not OF_CHANNELS & set(among)
        return 1 + len(among) if fits else None

    return _first(labels, rank)


def _fluorescence(labels: Sequence[str], taken: set[int]) -> tuple[Fluorescence, ...]:
    """
    Return the fluorescence channels of the best kind.

    Those that the acquisition has corrected come first: it knows over which time its detectors
    counted, which raw counts beside a current do not tell.
    """
    columns = (column for column in range(len(labels)) if column not in taken)
    found = [each for column in columns if (each := _counts(column, labels[column])) is not None]
    for kind in ("corrected", "raw", "sum"):
        if same := tuple(each for each in found if each.kind == kind):
            with_rates = tuple(_with_rates(labels, each) for each in same)
            return with_rates if kind == "raw" else same
    return ()


def _with_rates(labels: Sequence[str], channel: Fluorescence) -> Fluorescence:
    """Add the columns that tell a channel's dead time, those of its number."""
    return replace(
        channel,
        input_rate=_numbered(labels, INPUT, channel.number),
        output_rate=_numbered(labels, OUTPUT, channel.number),
        factor=_numbered(labels, FACTOR, channel.number),
    )


def _counts(column: int, label: str) -> Fluorescence | None:
    among, name = words(label), joined(label)
    element = line_element(label)
    counted = COUNTED.fullmatch(name)
    is_other = NOT_COUNTS & set(among) and name != "ifluor"
    if is_other or not (element or counted or name in FLUORESCENCE):
        return None
    if "sum" in among or "total" in among:
        kind: Kind = "sum"
    else:
        kind = "corrected" if name.startswith("dtc") or "corr" in among else "raw"
    return Fluorescence(column, kind, _number(label), element)


def _number(label: str) -> int | None:
    """Return the number of the detector element that a column belongs to."""
    numbers = [found[1] for word in words(label) if (found := DETECTOR_NUMBER.fullmatch(word))]
    return int(numbers[-1]) if numbers else None


def _numbered(labels: Sequence[str], kind: re.Pattern[str], number: int | None) -> int | None:
    """Return the column of a kind (such as rates) that has the number of a channel."""
    for column, label in enumerate(labels):
        is_of_kind = any(kind.fullmatch(word) for word in words(label))
        if is_of_kind and _number(label) == number and not joined(label).startswith("true"):
            return column
    return None


def _gains(labels: Sequence[str], known: dict[str, int]) -> dict[str, int]:
    """Return the columns that hold the gain of a channel's amplifier, by the amplifier's name."""
    gains: dict[str, int] = {}
    for column, label in enumerate(labels):
        amplifier = set(words(label)) - {"gain"}
        if "gain" not in words(label) or not amplifier:
            continue
        for name, channel in known.items():
            if name not in MU and amplifier <= set(words(labels[channel])):
                gains[name] = column
    return gains
