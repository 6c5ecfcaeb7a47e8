"""What headers of text files say: times, numbers, amplifiers, crystals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from tasks.io.values import moment
from tasks.io.xas.energy import crystal_spacing

AMPERES = {"pa": 1e-12, "na": 1e-9, "ua": 1e-6, "µa": 1e-6, "ma": 1e-3}
CHANNELS = {"i0": "i0", "io": "i0", "it": "i1", "i1": "i1", "iref": "i2", "ir": "i2", "i2": "i2"}
SENSITIVITY = re.compile(r"\b(I0|Io|It|I1|Iref|Ir|I2)\s*:\s*([\d.]+)\s*([pnuµm]A)/V", re.IGNORECASE)
SPACING = re.compile(r"\bd[-_ ]?spac\w*\W{0,4}([\d.]+)|\bD\s*=\s*([\d.]+)\s*A\b", re.IGNORECASE)
DECLARED_E0 = re.compile(r"\bE0\s*[:=]\s*([\d.]+)\s*(keV)?", re.IGNORECASE)
TIMES = (
    # English months, after a weekday; 12-hour clock with American dates; year first
    (
        re.compile(r"[A-Z][a-z]{2}\s+([A-Z][a-z]{2}\s+\d+\s+\d+:\d+:\d+\s+\d{4})"),
        "%b %d %H:%M:%S %Y",
    ),
    (re.compile(r"(\d+/\d+/\d{4}\s+\d+:\d+:\d+\s+[AP]M)"), "%m/%d/%Y %I:%M:%S %p"),
    (re.compile(r"(\d{4}[-/]\d+[-/]\d+[T ]\d+:\d+(?::\d+)?)"), ""),
)


def number_in(text: str | None) -> float | None:
    """Return the first number above 0 in a text, such as ``3.1356 A``; None if there is none."""
    found = re.search(r"\d+\.?\d*(?:[eE][-+]?\d+)?", text or "")
    value = float(found[0]) if found else 0.0
    return value if value > 0 else None


def time_in(lines: Iterable[str]) -> datetime | None:
    """Return the first time in some lines, in UTC, in which a time without a zone is taken."""
    for line in lines:
        for pattern, style in TIMES:
            found = pattern.search(line)
            if found is None:
                continue
            words = re.sub(r"\s+", " ", found[1])
            try:
                if style:
                    return datetime.strptime(words, style).replace(tzinfo=UTC)
            except ValueError:
                continue
            if time := moment(words.replace("/", "-")):
                return time
    return None


def spacing_in(lines: Iterable[str]) -> float | None:
    """Return the d-spacing in Angstrom that a header gives, also by the name of the crystal."""
    lines = list(lines)
    for line in lines:
        if found := SPACING.search(line):
            return number_in(found[1] or found[2])
    return next((value for line in lines if (value := crystal_spacing(line))), None)


def e0_in(lines: Iterable[str]) -> float | None:
    """Return the declared edge energy in eV."""
    for line in lines:
        if (found := DECLARED_E0.search(line)) and (value := number_in(found[1])):
            return value * (1e3 if found[2] else 1.0)
    return None


def gains_in(lines: Iterable[str]) -> dict[str, float]:
    """Return amplifier gains in V/A, from sensitivities such as ``I0: 10 nA/V``."""
    gains: dict[str, float] = {}
    for line in lines:
        for name, value, unit in SENSITIVITY.findall(line):
            if gain := gain_of(value, unit):
                gains.setdefault(CHANNELS[name.lower()], gain)
    return gains


def gain_of(sensitivity: str, unit: str) -> float | None:
    """Return the gain in V/A of an amplifier with a sensitivity in, for example, nA/V."""
    amperes = AMPERES.get(unit.strip().lower().removesuffix("/v"))
    value = number_in(sensitivity)
    return 1 / (value * amperes) if value and amperes else None
