"""
Columns by their labels: which one is the energy, which ones are the channels.

The labels of the XAS Data Interchange dictionary are known (``energy``, ``i0``, ``itrans``,
``irefer``, ``ifluor``, ``mutrans``...), and those that beamlines write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tasks.io.xas.counters import Fluorescence, fluorescence
from tasks.io.xas.words import joined, words

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
    "fluorescence": ({"mufluor", "mufluo", "muf", "mudiode", "normfluor"}, set()),
    "reference": ({"murefer", "muref", "mureference", "normrefer"}, set()),
}
MU = ("transmission", "fluorescence", "reference")
CHANNEL_ORDER = ("i0", "i1", "i2")
VAGUE = {"mu", "mux", "xmu", "mue", "norm", "flat"}
"""Absorption of whatever kind."""
OF_DIODE = {"mudiode", "mufluo"}
"""Absorption that an acquisition makes of fluorescence channels as well, where it has some."""


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
        of_sample = {"transmission", "fluorescence"} & set(self.mu)
        behind = {"i1", "i2"} & set(self.single) or self.fluorescence
        return self.has_axis and bool(of_sample or ("i0" in self.single and behind))


def assign(labels: Sequence[str]) -> Assigned:
    """Tell from their labels what the columns are; each is one thing at most."""
    best = {name: _best(labels, name) for name in NAMES}
    known = {name: column for name, column in best.items() if column is not None}
    raw = Assigned(
        energy=_first(labels, _energy_rank),
        angle=_first(labels, _angle_rank),
        single={name: column for name, column in known.items() if name not in MU},
        fluorescence=fluorescence(labels, set(known.values())),
        gains=_gains(labels, known),
    )
    mu = {name: column for name, column in known.items() if name in MU}
    vague = {name for name, column in mu.items() if joined(labels[column]) in VAGUE}
    if raw.is_enough:  # then it need not be guessed how a vague one was measured
        mu = {name: column for name, column in mu.items() if name not in vague}
    if "i0" in raw.single and raw.fluorescence:
        mu = {name: column for name, column in mu.items() if joined(labels[column]) not in OF_DIODE}
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
    if not is_energy or "edge" in name or among & {"loss", "rec", "ring", "livetime"}:
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
