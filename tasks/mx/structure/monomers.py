"""The monomer library: ideal geometry of residues, which refinement needs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator
from pathlib import Path

from tasks.errors import DataError

_WITHIN = Path("share/coot/lib/data/monomers")


def monomer_library(folder: str = "") -> Path:
    """
    Find a monomer library in the CCP4 layout.

    Parameters
    ----------
    folder
        Named by the recipe: it alone is taken. Empty: CLIBD_MON, then CCP4's own, then the one
        that the package coot-headless-api carries, whose code is not run.

    Raises
    ------
    DataError
        There is none.
    """
    places = [Path(folder)] if folder else list(_places())
    for place in places:
        if (place / "ener_lib.cif").is_file() and (place / "list/mon_lib_list.cif").is_file():
            return place
    looked = ", ".join(str(place) for place in places) or "no place is known"
    raise DataError(
        f"No monomer library was found ({looked}), and refinement needs one: "
        "run `make structure`, or set CLIBD_MON to the folder of CCP4's."
    )


def missing_packages() -> tuple[str, ...]:
    """Return which packages refinement lacks: they come with `make structure`."""
    return tuple(name for name in ("servalcat",) if importlib.util.find_spec(name) is None)


def require_packages() -> None:
    """
    Refuse with a sentence that says what to install.

    Raises
    ------
    DataError
        A package is missing.
    """
    if missing := missing_packages():
        raise DataError(
            f"Solving a structure needs {', '.join(missing)}, which is not installed: run "
            "`make structure`, or install the extra mx-structure."
        )


def _places() -> Generator[Path]:
    if "CLIBD_MON" in os.environ:
        yield Path(os.environ["CLIBD_MON"])
    if "CCP4" in os.environ:
        yield Path(os.environ["CCP4"]) / "lib/data/monomers"
    package = importlib.util.find_spec("coot_headless_api")
    for place in (package.submodule_search_locations or []) if package else []:
        yield Path(place) / _WITHIN
