"""The set of settled files, and the tree that is walked again and again."""

import os
import time

import pytest

from triggers.settled import Settled
from triggers.tree import Tree


def states(tree, *, quick=False):
    return {state[0] for portion in tree.files(quick=quick) for state in portion}


def test_a_file_is_settled_in_one_state():
    settled = Settled([("/a", 1, 2, 3)])
    assert ("/a", 1, 2, 3) in settled
    assert ("/a", 1, 2, 4) not in settled
    assert ("/b", 1, 2, 3) not in settled


def test_it_holds_many_in_little_memory():
    settled = Settled((f"/old/{number}", number, 0, 0) for number in range(1000))
    settled.OVERLAY = 100
    for number in range(1000):
        settled.add((f"/new/{number}", number, 0, 0))
        settled.add((f"/new/{number}", number, 0, 0))
    assert len(settled) == 2000
    asked = [(f"/{age}/{number}", number, 0, 0) for age in ("old", "new") for number in (0, 999)]
    assert settled.unknown([*asked, ("/new/0", 1, 0, 0)]) == [("/new/0", 1, 0, 0)]


def test_an_empty_one_knows_nothing():
    assert Settled().unknown([("/a", 1, 2, 3)]) == [("/a", 1, 2, 3)]


@pytest.fixture
def old(tmp_path):
    """A tree whose folders changed long ago."""

    def age():
        past = time.time() - 3600
        for folder, _, _ in os.walk(tmp_path):
            os.utime(folder, (past, past))

    for name in ("a", "b"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "scan.h5").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "scan.h5").touch()
    age()
    return tmp_path


def test_a_whole_walk_tells_of_all_each_time(old):
    tree = Tree(old)
    every = {f"{old}/{name}/deep/scan.h5" for name in ("a", "b")}
    assert states(tree) == every
    assert states(tree) == every


def test_a_quick_walk_tells_of_folders_that_changed(old):
    tree = Tree(old)
    states(tree)
    assert states(tree, quick=True) == set()
    (old / "b" / "deep" / "new.h5").touch()
    (old / "a" / "more").mkdir()
    (old / "a" / "more" / "first.h5").touch()
    found = states(tree, quick=True)
    assert {f"{old}/b/deep/new.h5", f"{old}/a/more/first.h5"} <= found
    assert f"{old}/a/deep/scan.h5" not in found


def test_a_folder_that_changed_just_now_is_listed_again(old):
    tree = Tree(old)
    (old / "a" / "deep" / "one.h5").touch()
    states(tree)
    seen = (old / "a" / "deep").stat()
    (old / "a" / "deep" / "two.h5").touch()
    os.utime(old / "a" / "deep", ns=(seen.st_atime_ns, seen.st_mtime_ns))  # a coarse clock
    assert f"{old}/a/deep/two.h5" in states(tree, quick=True)


def test_what_goes_away_is_no_trouble(old):
    tree = Tree(old)
    states(tree)
    (old / "a" / "deep" / "scan.h5").unlink()
    (old / "a" / "deep").rmdir()
    assert states(tree) == {f"{old}/b/deep/scan.h5"}
