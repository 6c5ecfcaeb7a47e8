"""
The header of a CBF image: what DECTRIS' comments say, imgCIF's tables, how the counts are packed.

The comments (``# Detector_distance 0.16 m``) are those of "PILATUS CBF header specification",
version 1.4 (DECTRIS).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from tasks.io.diffraction import Facts
from tasks.io.mx.cif import Row, tables_of
from tasks.io.mx.sensor import material_of
from tasks.io.pdf.cbf import Cbf
from tasks.io.values import moment

COMMENT = re.compile(r"^#\s*(?P<key>[A-Za-z_][\w]*)\s*[:=]?\s*(?P<value>.*?)\s*$", re.MULTILINE)
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
STARTED = re.compile(r"^#\s*(\d{4}[-/]\S+?[T ]\d\d:\d\d:\d\d(?:\.\d+)?)\s*$", re.MULTILINE)
OLD_TIME = re.compile(r"^#\s*(\d{4}/[A-Z][a-z]{2}/\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\s*$", re.MULTILINE)
SENSOR = re.compile(r"^#\s*(\w+) sensor, thickness\s+(\S+)\s*m", re.MULTILINE)
COMMENTS_END = "_array_data.data"


@dataclass(frozen=True)
class CbfHeader:
    """What stands above the counts of one image."""

    cbf: Cbf

    @cached_property
    def told(self) -> dict[str, str]:
        """The comments, by their names in small letters."""
        return {match["key"].lower(): match["value"] for match in COMMENT.finditer(self.cbf.text)}

    @cached_property
    def tables(self) -> dict[str, list[Row]]:
        """The tables of imgCIF, by category; empty where the image has comments alone."""
        return tables_of(self.cbf.text.split(COMMENTS_END)[0])

    def rows(self, category: str) -> list[Row]:
        """Return the rows of a table; none if it is not there."""
        return self.tables.get(category) or []

    def row(self, category: str) -> Row:
        """Return the first row of a table; an empty one if it is not there."""
        return (self.rows(category) or [{}])[0]

    def numbers(self, name: str) -> list[float]:
        """Return the numbers in a comment; none if it is not there."""
        return [float(each) for each in NUMBER.findall(self.told.get(name, ""))]

    def number(self, name: str) -> float | None:
        """Return the first number in a comment."""
        return next(iter(self.numbers(name)), None)

    @property
    def sensor(self) -> tuple[str, float]:
        """Material of the sensor and its thickness in mm; empty and 0 if not told."""
        found = SENSOR.search(self.cbf.text)
        return (material_of(found[1]), 1e3 * float(found[2])) if found else ("", 0.0)

    @property
    def wavelength(self) -> float | None:
        """In Angstrom; the comments count before imgCIF's table, and an energy is taken too."""
        row = self.row("diffrn_radiation_wavelength")
        told = self.number("wavelength") or _positive(row.get("wavelength"))
        energy = self.number("photon_energy") or self.number("energy")
        return told or (12398.419843 / energy if energy else None)

    @property
    def saturation(self) -> float | None:
        """Counts above which a pixel is overloaded."""
        overload = self.row("array_intensities").get("overload")
        return self.number("count_cutoff") or _positive(overload)

    @property
    def facts(self) -> Facts:
        """What the comments say of the measurement."""
        percent = self.number("filter_transmission")
        flux = self.number("flux")
        return Facts(
            exposure=self.number("exposure_time") or self.number("exposure_period"),
            flux=flux if flux else None,
            transmission=None if percent is None else percent / (100 if percent > 1 else 1),
            temperature=self.number("temperature"),
            sample=self.told.get("sample", "") or self.told.get("sample_name", ""),
            started_at=_started(self.cbf.text),
        )


def _positive(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value > 0 else None


def _started(header: str) -> datetime | None:
    new, old = STARTED.search(header), OLD_TIME.search(header)
    if old:
        date, _, time = old[1].partition(" ")
        day = datetime.strptime(date, "%Y/%b/%d").date()
        return moment(f"{day.isoformat()}T{time}")
    return moment(new[1].replace("/", "-")) if new else None
