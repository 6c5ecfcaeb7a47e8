"""Clocks of single processes that can be put wrong, with libfaketime."""

import ctypes
import os
from importlib.util import find_spec
from pathlib import Path

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
PACKAGE, IN_PACKAGE = "libfaketime", "vendor/libfaketime/src/libfaketime.so.1"
WHY_NOT = (
    "NOT INJECTED: there is no libfaketime here, without which no clock can "
    "be put wrong (Debian: apt-get install libfaketime; or the Python package libfaketime)"
)


def library() -> Path | None:
    """Find libfaketime on this machine."""
    found = [path for pattern in LIBRARIES for path in sorted(Path("/").glob(pattern[1:]))]
    package = find_spec(PACKAGE)
    if package and package.origin:
        found.append(Path(package.origin).parent / IN_PACKAGE)
    return next((path for path in found if _loads(path)), None)


def environment(folder: Path, libfaketime: Path) -> dict[str, str]:
    """Make a folder for the clocks, and return what the platform's environment needs.

    A service that starts while a file of its name is there has a clock of its own.
    """
    folder.mkdir()
    path = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
        "CHAOS_CLOCKS": str(folder),
        "CHAOS_LIBFAKETIME": str(libfaketime),
        "FAKETIME_CACHE_DURATION": "1",  # seconds until the file is read again
        # a clock that is set wrong moves neither the monotonic clock nor the times of files
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def _loads(path: Path) -> bool:
    try:
        ctypes.CDLL(str(path))
    except OSError:
        return False
    return True
