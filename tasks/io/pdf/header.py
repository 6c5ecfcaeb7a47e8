"""What the header of an image or pattern tells: words to keys, keys to facts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from tasks.io.pdf.describe import HC
from tasks.io.pdf.words import KINDS
from tasks.io.values import moment

WAVELENGTH = ("wavelength", "wave_length", "source_wavelength", "incident_wavelength", "lambda")
ENERGY = ("energy_kev", "energy", "photon_energy", "beam_energy", "x_ray_energy", "mono_energy")
EXPOSURE = (
    "exposure_time",
    "acq_expo_time",
    "exposuretime",
    "count_time",
    "acquire_time",
    "exposure_time_s",
    "exposure",
)
MONITOR = ("monitor", "mon", "i0", "ic0", "ion_chamber", "incident_intensity", "diode")
CUTOFF = ("count_cutoff", "saturation", "saturation_value", "saturated_value")
TEMPERATURE = ("temperature_k", "sample_temperature", "temperature")
STARTED = ("started_at", "start_time", "date", "time_of_day", "datetime", "time")
TEXTS = {
    "composition": ("composition", "chemical_formula", "formula"),
    "container": ("container",),
    "sample": ("sample_name", "sample", "samplename"),
    "title": ("title",),
}
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
DETECTOR_TIME = re.compile(r"\d{4}[-/](?:\d{2}|[A-Z][a-z]{2})[-/]\d{2}[ T]\d{2}:\d{2}:\d{2}")
PAIR = re.compile(r"^[#;\s]*([A-Za-z_][\w .()-]*?)\s*(?:[:=]\s*|\s+)(\S.*?)\s*;?\s*$")
ANGSTROM = {
    "a": 1.0,
    "å": 1.0,
    "angstrom": 1.0,
    "angstroms": 1.0,
    "nm": 10.0,
    "m": 1e10,
    "pm": 0.01,
}
KEV = {"kev": 1.0, "ev": 1e-3, "mev": 1e3}


def key_of(words: str) -> str:
    """Return a header's key as it is looked for: small letters, words joined by ``_``."""
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def pairs_in(text: str) -> dict[str, str]:
    """Return the keys and values of a header: JSON, or a pair a line (``=``, ``:`` or blanks)."""
    if text.lstrip().startswith("{"):
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        if isinstance(content, dict):
            words = cast("dict[str, Any]", content)
            return {key_of(key): str(value) for key, value in words.items()}
    found: dict[str, str] = {}
    for line in text.splitlines():
        if date := DETECTOR_TIME.search(line):
            found.setdefault("date", date[0])
        if pair := PAIR.match(line.replace("\0", "")):
            found.setdefault(key_of(pair[1]), pair[2])
    return found


def with_counters(header: Mapping[str, str]) -> dict[str, str]:
    """Return an EDF header with the counters and motors that SPEC writes as two lists."""
    words = {key_of(key): str(value).strip() for key, value in header.items()}
    for names, values in (("counter_mne", "counter_pos"), ("motor_mne", "motor_pos")):
        pairs = zip(words.get(names, "").split(), words.get(values, "").split(), strict=False)
        words = {key_of(name): value for name, value in pairs} | words
    return words


def number_of(header: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[float, str] | None:
    """Return the first of several keys that has a number, with the word behind it as its unit."""
    for key in keys:
        word = str(header.get(key, "")).strip()
        found = NUMBER.match(word)
        if found and math.isfinite(float(found[0])):
            return float(found[0]), word[found.end() :].strip(" ()[]").split(" ")[0].lower()
    return None


def positive(header: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    """Return the first of several keys' numbers, if it is above 0."""
    found = number_of(header, keys)
    return found[0] if found and found[0] > 0 else None


def wavelength_of(header: Mapping[str, Any]) -> float | None:
    """Return the wavelength in Angstrom; without a unit, one below 1e-6 is in m."""
    for key in (*WAVELENGTH, "wavelength_a"):
        found = number_of(header, (key,))
        if found and found[0] > 0:
            value, unit = found
            return value * ANGSTROM.get(unit, 1e10 if value < 1e-6 else 1.0)
    found = number_of(header, ENERGY)
    if found is None or found[0] <= 0:
        return None
    return HC / (found[0] * KEV.get(found[1], 1e-3 if found[0] >= 1000 else 1.0))


def told_by(header: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the facts that a header, or a table of the same words, tells.

    Parameters
    ----------
    header
        By keys as `key_of` makes them.

    Returns
    -------
    Those of the fields of `tasks.io.powder.Facts` that it knows.
    """
    transmission = positive(header, ("transmission", "sample_transmission"))
    told: dict[str, Any] = {
        "wavelength": wavelength_of(header),
        "exposure": positive(header, EXPOSURE),
        "transmission": transmission if transmission and transmission <= 1 else None,
        "density": positive(header, ("density", "density_g_cm3")),
        "temperature": positive(header, TEMPERATURE),
        "started_at": _time_of(header),
        "calibrant": str(header.get("calibrant") or ""),
    }
    kind = str(header.get("kind", header.get("image_type", ""))).strip().lower()
    told["kind"] = kind if kind in KINDS else ("calibrant" if told["calibrant"] else "")
    for name, keys in TEXTS.items():
        told[name] = next((str(header[key]).strip() for key in keys if header.get(key)), "")
    return {name: value for name, value in told.items() if value not in (None, "")}


def _time_of(header: Mapping[str, Any]) -> datetime | None:
    for key in STARTED:
        word = str(header.get(key, "")).strip()
        if (time := moment(word)) is not None:
            return time
        for form in ("%Y/%b/%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y:%m:%d %H:%M:%S"):
            try:
                return datetime.strptime(word, form).replace(tzinfo=UTC)
            except ValueError:
                continue
    return None


def pixel_of(header: Mapping[str, Any]) -> list[float] | None:
    """
    Return height and width of a pixel in m.

    ``PSize_1`` of an EDF header is along the columns' axis, as is ``x_pixel_size``.
    """
    for height, width in (("y_pixel_size", "x_pixel_size"), ("psize_2", "psize_1")):
        sizes = [positive(header, (name,)) for name in (height, width)]
        if None not in sizes:
            return [float(size) for size in sizes if size is not None]
    sides = re.findall(rf"({NUMBER.pattern})\s*m\b", str(header.get("pixel_size", "")))
    return [float(side) for side in reversed(sides)] if len(sides) == 2 else None
