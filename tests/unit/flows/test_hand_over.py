"""The group and the mode of results."""

import grp
import os
import stat
from pathlib import Path

import pytest

from flows.outputs import hand_over


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "made" / "pictures").mkdir(parents=True)
    (tmp_path / "made" / "pictures" / "one.png").touch()
    return tmp_path / "made"


def modes(folder: Path) -> list[int]:
    return [stat.S_IMODE(each.stat().st_mode) for each in (folder, *sorted(folder.rglob("*")))]


def test_folders_get_the_mode_and_files_the_same_without_executing(made: Path) -> None:
    hand_over(made, "", "0750")
    assert modes(made) == [0o750, 0o750, 0o640]


def test_nothing_asked_is_nothing_done(made: Path) -> None:
    before = modes(made)
    hand_over(made, "", "")
    assert modes(made) == before


def test_a_group_of_ours_is_given_and_one_that_is_not_there_is_named(made: Path) -> None:
    mine = grp.getgrgid(os.getgid()).gr_name
    hand_over(made, mine, "")
    assert (made / "pictures" / "one.png").stat().st_gid == os.getgid()
    with pytest.raises(RuntimeError, match="knows no group 'p2026-nobody'"):
        hand_over(made, "p2026-nobody", "")
