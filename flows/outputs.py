"""Files that a run hands to the catalogue."""

import hashlib
import os
from pathlib import Path

from catalog.runs import OutputFile


def output_file(folder: Path, relative: str, role: str, media_type: str) -> OutputFile:
    """Describe a finished file, on the disk and with its digest.

    Parameters
    ----------
    folder : Path
        The run's folder.
    relative : str
        The file's path in it.
    role, media_type : str
        What it is for ("volume", "preview", ...) and its MIME type.

    Returns
    -------
    OutputFile
        With size in bytes and SHA-256 digest of the whole content.
    """
    with (folder / relative).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    return OutputFile(path=relative, role=role, size=size, digest=digest, media_type=media_type)
