"""
Fluorescence channels by their labels: diodes, counters, and regions of interest of spectra.

BLISS names what an energy-resolving detector counts by region and detector element, ``FeKa_det3``
(or ``fx2_det3_FeKa`` where several detectors are there), its sum over the elements ``FeKa``, and
beside them gives ``icr_det3``, ``ocr_det3``, ``realtime_det3`` and the like of each element
(https://bliss.gitlab-pages.esrf.fr).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tasks.io.xas.elements import line_element, symbol
from tasks.io.xas.words import joined, words

FLUORESCENCE = {"if", "ifl", "iff", "ifluor", "ifluo", "fluor", "fluo", "fluorescence", "lytle"}
COUNTED = re.compile(r"(ifluor|ifluo|fluor|fluo|dtc|roi|sca|ge|xmaproi)_?(\d+)")
DIODE = re.compile(r"idiode\d*")
NOT_COUNTS = {"dxp", "icr", "ocr", "gain", "fbk", "live", "real", "clock", "dtfactor"}
OF_ELEMENT = re.compile(r"(?:.*:)?(?:(.+)_)?det(\d+)(?:_(.+))?", re.IGNORECASE)
STATISTICS = {"spectrum", "realtime", "livetime", "triggers", "events", "deadtime", "icr", "ocr"}
INPUT = re.compile(r"(true)?icr\d*|input(counts|rate)\d*")
OUTPUT = re.compile(r"ocr\d*|output(counts|rate)\d*")
FACTOR = re.compile(r"dtfactor\d*|deadtimefactor\d*")
DETECTOR_NUMBER = re.compile(r"(?:d|det|mca|roi|icr|ocr|dtc|ch|sca|fluo|fluor|ifluor|ge)?(\d+)")
REGION_OF = re.compile(r"([A-Z][a-z]?)(?:[_ ]?[KLM][A-Za-z]{0,5}\d?)?")
Kind = Literal["corrected", "raw", "sum", "diode"]
KINDS: tuple[Kind, ...] = ("corrected", "raw", "sum", "diode")


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


def fluorescence(labels: Sequence[str], taken: set[int]) -> tuple[Fluorescence, ...]:
    """
    Return the fluorescence channels of the best kind, by their labels, but for columns taken.

    Those that the acquisition has corrected come first: it knows over which time its detectors
    counted, which raw counts beside a current do not tell. A diode, which tells no energies apart,
    comes last.
    """
    regions = {joined(told[0]) for label in labels if (told := _region(label, labels))}
    columns = (column for column in range(len(labels)) if column not in taken)
    found = [each for column in columns if (each := _counts(column, labels, regions)) is not None]
    for kind in KINDS:
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


def _counts(column: int, labels: Sequence[str], regions: set[str]) -> Fluorescence | None:
    label = labels[column]
    among, name = words(label), joined(label)
    region = _region(label, labels)
    element = _element(region[0]) if region else line_element(label)
    is_other = (NOT_COUNTS | STATISTICS) & set(among) and name != "ifluor"
    is_counted = element or region or COUNTED.fullmatch(name) or name in FLUORESCENCE
    is_diode = DIODE.fullmatch(name) is not None
    if is_other or not (is_counted or is_diode):
        return None
    if is_diode:
        kind: Kind = "diode"
    elif {"sum", "total"} & set(among) or (region is None and name in regions):
        kind = "sum"
    else:
        kind = "corrected" if name.startswith("dtc") or "corr" in among else "raw"
    return Fluorescence(column, kind, region[1] if region else _number(label), element)


def _region(label: str, labels: Sequence[str]) -> tuple[str, int] | None:
    """Return the region of interest and the detector element of a counter; None if it is none.

    A region may be called anything if the statistics of its element stand beside it, which only
    an energy-resolving detector gives; else only by an element or as other counters are.
    """
    found = OF_ELEMENT.fullmatch(label.strip())
    name = (found[3] or found[1]) if found else None
    if found is None or name is None or STATISTICS & set(words(label)):
        return None
    number = int(found[2])
    is_known = _element(name) or COUNTED.fullmatch(joined(name)) or joined(name) in FLUORESCENCE
    if is_known or any(
        _number(each) == number and STATISTICS & set(words(each)) for each in labels
    ):
        return name, number
    return None


def _element(region: str) -> str | None:
    """Return the element of a region that is called by it or one of its lines, as ``FeKa``."""
    found = REGION_OF.fullmatch(region)
    return line_element(region) or (symbol(found[1]) if found else None)


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
