"""The reserve of PostgreSQL, on a real small disk that fills."""

import os
import subprocess

import pytest

from infra.reserve import Reserve

MB = 1_000_000


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 MB; it needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "dayseye-test", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    unmount = ["umount", str(folder)]
    subprocess.run(unmount, check=True)


def fill(folder, leave):
    usage = os.statvfs(folder)
    size = usage.f_bavail * usage.f_frsize - leave
    with (folder / "other").open("ab") as file:
        os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)


def test_it_is_given_up_on_a_full_disk_and_made_again(small_disk):
    data = small_disk / "data"
    data.mkdir()
    reserve = Reserve.beside(data, 10)
    assert reserve.keep() == "made"
    assert reserve.path.stat().st_blocks * 512 >= 10 * MB
    assert reserve.keep() == "kept"
    fill(small_disk, leave=2 * MB)
    assert reserve.keep() == "given up"
    with (data / "wal").open("wb") as file:
        file.write(bytes(8 * MB))
    assert reserve.keep() == "missing"
    (small_disk / "other").unlink()
    assert reserve.keep() == "made"


def test_a_database_that_starts_on_a_full_disk_has_it(small_disk):
    data = small_disk / "data"
    data.mkdir()
    reserve = Reserve.beside(data, 10)
    reserve.keep()
    assert not reserve.give_up_if_full()
    fill(small_disk, leave=0)
    assert reserve.give_up_if_full()
    (data / "wal").write_bytes(bytes(8 * MB))


def test_none_is_wanted_none_is_made(tmp_path):
    assert Reserve.beside(tmp_path / "data", 0).keep() == "missing"
    (tmp_path / "reserve").write_bytes(b"old")
    Reserve.beside(tmp_path / "data", 0).keep()
    assert not (tmp_path / "reserve").exists()
