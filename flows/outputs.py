"""Files that a run hands to the catalogue."""

import grp
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


def hand_over(folder: Path, group: str, mode: str) -> None:
    """Give a run's folder and all below it the group and the mode that the beamline asks for.

    Parameters
    ----------
    folder : Path
        The folder, before it gets its final name.
    group : str
        The owning group; empty leaves it as it is.
    mode : str
        Of folders, as "0750"; files get the same without the right to execute. Empty: as it is.

    Raises
    ------
    RuntimeError
        This machine knows no such group, or we may not give files to it.
    """
    if not group and not mode:
        return
    owner = _group_id(group) if group else -1
    bits = int(mode, 8) if mode else None
    for parent, _, names in os.walk(folder):
        for path in (Path(parent), *(Path(parent, name) for name in names)):
            if bits is not None:
                path.chmod(bits if path.is_dir() else bits & 0o666)
            _chown(path, owner, group)


def _group_id(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise RuntimeError(
            f"This machine knows no group {group!r}, which the beamline's output_group asks for: "
            "make it, or change the settings."
        ) from None


def _chown(path: Path, owner: int, group: str) -> None:
    try:
        os.chown(path, -1, owner)
    except PermissionError:
        raise RuntimeError(
            f"We may not give {path} to the group {group!r} (output_group): make the platform's "
            "user a member of it."
        ) from None
