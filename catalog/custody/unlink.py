"""Removing a file so that no link can lead the removal anywhere else."""

import os
import stat
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

NO_LINKS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def unlink_below(root: Path, relative: str, keep: int) -> bool:
    """Remove a file below a folder, and the folders that it leaves empty.

    Each folder on the way is opened without following links, and the file removed by its name in
    the last one: whatever is renamed or linked meanwhile, nothing outside the root is touched.

    Parameters
    ----------
    root : Path
        The storage.
    relative : str
        The file's path below it.
    keep : int
        So many of the path's folders stay, even if they are empty.

    Returns
    -------
    bool
        False if it was gone already.

    Raises
    ------
    OSError
        It cannot be removed, a link stands on the way, or it is no regular file.
    """
    *folders, name = PurePosixPath(relative).parts
    with ExitStack() as opened:
        descriptors = [_open(opened, str(root), None)]
        try:
            for folder in folders:
                descriptors.append(_open(opened, folder, descriptors[-1]))
            found = os.stat(name, dir_fd=descriptors[-1], follow_symlinks=False)
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{root / relative} is a link or no regular file")
        os.unlink(name, dir_fd=descriptors[-1])
        os.fsync(descriptors[-1])
        for depth in range(len(folders), keep, -1):
            if os.listdir(descriptors[depth]):  # noqa: PTH208 - by descriptor, not by name
                break
            os.rmdir(folders[depth - 1], dir_fd=descriptors[depth - 1])
    return True


def _open(opened: ExitStack, name: str, folder: int | None) -> int:
    flags = NO_LINKS if folder is not None else NO_LINKS & ~os.O_NOFOLLOW
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except NotADirectoryError:
        raise OSError(f"{name} is a link or no folder: nothing behind it is removed") from None
    opened.callback(os.close, descriptor)
    return descriptor
