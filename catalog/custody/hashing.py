"""Full digests of files: of one, and of a numbered series by its manifest."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from catalog.errors import CatalogError

ALGORITHM = "sha256"
MANIFEST = "sha256-manifest"
PIECE = 4 * 1024 * 1024


def hasher(algorithm: str) -> Any:
    """Return a new hash object.

    Raises
    ------
    CatalogError
        This Python does not know the algorithm.
    """
    if algorithm not in hashlib.algorithms_available or algorithm.startswith("shake"):
        raise CatalogError(
            f"Digests of the kind {algorithm!r} cannot be computed here; known are sha256, "
            "sha512, blake2b, md5."
        )
    return hashlib.new(algorithm, usedforsecurity=False)


def pieces(path: Path) -> Iterator[bytes]:
    """Read a file piece by piece, without keeping it in the machine's cache."""
    with path.open("rb", buffering=0) as file:
        done = 0
        while piece := file.read(PIECE):
            yield piece
            os.posix_fadvise(file.fileno(), done, len(piece), os.POSIX_FADV_DONTNEED)
            done += len(piece)


def digest_file(path: Path, algorithm: str = ALGORITHM) -> str:
    """Return the digest of a file's whole content, as hexadecimal digits."""
    digest = hasher(algorithm)
    for piece in pieces(path):
        digest.update(piece)
    return digest.hexdigest()


def manifest_digest(members: Iterable[tuple[str, int, str]]) -> str:
    """Return the digest of a series: of (name in the folder, size, digest) of each of its files."""
    digest = hasher(ALGORITHM)
    for name, size, content in sorted(members):
        digest.update(f"{name}:{size}:{content}\n".encode())
    return digest.hexdigest()
