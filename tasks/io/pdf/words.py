"""What a name or a word in a header says about the kind of an image or pattern."""

from __future__ import annotations

import re

KINDS = ("sample", "dark", "flat", "empty", "container", "calibrant", "mask", "geometry")
WORDS = {
    "mask": {"mask", "masks", "badpix", "badpixels"},
    "dark": {"dark", "darks", "darkfield", "darkcurrent"},
    "flat": {"flat", "flats", "flatfield", "floodfield", "flood"},
    "container": {"container", "capillary", "kapton", "cell", "holder"},
    "empty": {"empty", "air", "background", "bkg", "bkgd", "bgd", "bg", "blank"},
}
"""Words of a name, each kind before those that it may stand beside (``empty_capillary``)."""
CALIBRANTS = ("CeO2", "LaB6", "Si", "Ni", "AgBh", "Al2O3", "Cr2O3", "TiO2", "ZnO", "Au", "CuO")
CALIBRATION = {"calib", "calibration", "calibrant", "calibrate", "cal", "standard", "std"}
SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z][a-z])")


def kind_in(name: str) -> tuple[str, str]:
    """
    Tell the kind of data, and the calibrant, by the words of a name.

    A standard is a calibrant only where a word says so: CeO2 may be a sample as well.

    Returns
    -------
    The kind (``sample`` if no word says another) and the calibrant's formula or an empty text.
    """
    whole = {word.lower() for word in re.split(r"[^A-Za-z0-9]+", name) if word}
    words = whole | {word.lower() for word in SPLIT.split(name) if word}
    words |= {word.rstrip("0123456789") for word in words}
    if words & CALIBRATION:
        found = next((each for each in CALIBRANTS if each.lower() in whole), "")
        if found:
            return "calibrant", found
    for kind, known in WORDS.items():
        if words & known:
            return kind, ""
    return "sample", ""
