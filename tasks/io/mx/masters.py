"""Which master a data file belongs to, by their names."""

from __future__ import annotations

import re
from pathlib import Path

NUMBERED = re.compile(r"(?P<run>.+)_data_\d{6}\.h5")
BESIDE = re.compile(r"(?P<run>.+)_(?:\d{6}|meta)\.h5")
MASTERS = ("_master.h5", ".nxs", ".h5")


def master_of(file: Path) -> Path | None:
    """
    Return the master that describes the images of a data file; None if it is no data file.

    ``run_data_000001.h5`` always belongs to ``run_master.h5``, whether or not that is there yet;
    ``run_000001.h5`` and ``run_meta.h5`` to a ``run_master.h5``, ``run.nxs`` or ``run.h5`` beside
    them.
    """
    named = NUMBERED.fullmatch(file.name)
    if named:
        return file.with_name(named["run"] + MASTERS[0])
    beside = BESIDE.fullmatch(file.name)
    if not beside:
        return None
    masters = (file.with_name(beside["run"] + suffix) for suffix in MASTERS)
    return next((each for each in masters if each.is_file()), None)
