"""What a name or a word in a header says about the kind of an image or pattern."""

from __future__ import annotations

import re

KINDS = ("sample", "dark", "flat", "empty", "container", "calibrant", "mask", "geometry")
CONTAINERS = {"container", "capillary", "capillaries", "kapton", "cell", "holder", "can"}
CLEAR = {
    "mask": {"mask", "masks", "badpix", "badpixels"},
    "dark": {"dark", "darks", "darkfield", "darkcurrent"},
    "flat": {"flatfield", "floodfield", "flats"},
    "empty": {"empty", "background", "backgrounds", "bkg", "bkgd", "bgd", "bg", "blank"},
}
"""Words that say a kind whatever stands beside them."""
ALONE = {"flat": {"flat", "flood"}, "container": CONTAINERS, "empty": {"air"}}
"""Words that say it only where no word beside them may be a sample: not ``Ni_capillary``."""
NEUTRAL = {
    *("av", "avg", "mean", "sum", "monitor", "scan", "run", "frame", "image", "img", "series"),
    *("mm", "um", "s", "sec", "min", "k", "kev", "field", "glass", "quartz", "fused", "silica"),
    *(
        "borosilicate",
        "only",
        "before",
        "after",
        "pre",
        "post",
        "long",
        "short",
        "new",
        "at",
        "xye",
    ),
}
CALIBRANTS = ("CeO2", "LaB6", "Si", "Ni", "AgBh", "Al2O3", "Cr2O3", "TiO2", "ZnO", "Au", "CuO")
CALIBRATION = {"calib", "calibration", "calibrant", "calibrate", "cal", "standard", "std"}
CAMEL = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z][a-z])")
LETTERS = re.compile(r"[a-z]+(?=\d)")


def kind_in(name: str) -> tuple[str, str]:
    """
    Tell the kind of data, and the calibrant, by the words of a name.

    A standard is a calibrant only where a word says so: CeO2 may be a sample as well. In doubt it
    is a sample: what is wrongly taken for one is seen, what is wrongly left unreduced is not.

    Returns
    -------
    The kind (``sample`` if no word says another) and the calibrant's formula or an empty text.
    """
    whole = [word.lower() for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    if CALIBRATION & {_letters(word) for word in whole}:
        found = next((each for each in CALIBRANTS if each.lower() in whole), "")
        if found:
            return "calibrant", found
    words = {_letters(word.lower()) for word in CAMEL.split(name) if word} | {*whole}
    for kind, known in CLEAR.items():
        if words & known:
            return ("container" if kind == "empty" and words & CONTAINERS else kind), ""
    others = {word for word in map(_letters, whole) if len(word) > 1 and not word[0].isdigit()}
    for kind, known in ALONE.items():
        if others & known and others <= known | NEUTRAL:
            return kind, ""
    return "sample", ""


def _letters(word: str) -> str:
    """Return a word without the number that is written onto it."""
    found = LETTERS.match(word)
    return found[0] if found else word
