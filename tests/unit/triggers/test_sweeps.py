"""Sweeps of single crystals: several in a folder, and masters with files of images."""

import shutil

import h5py
import numpy as np
import pytest

from catalog.arrivals import Sighting
from tests.unit.tasks.io.mx.cbf_files import write_cbf
from tests.unit.tasks.io.mx.nexus_files import counts, data_file, master
from triggers.grouping import group
from triggers.look import Candidate


@pytest.fixture
def beamline(make_beamline):
    return make_beamline(technique="mx", quiet_seconds=2, grace_seconds=10, timeout_seconds=600)


class Looks:
    """Looks at a candidate at moments of an own clock, and keeps what was told."""

    def __init__(self, beamline, path) -> None:
        self.candidate = Candidate(beamline, path, changed_at=0.0, due=0.0)
        self.sightings: list[Sighting] = []

    def at(self, now: float) -> list[tuple[str, str]]:
        """Return names and stages that this look tells."""
        before = len(self.sightings)
        self.is_settled = self.candidate.look(
            now, lambda each: self.sightings.append(each.sighting())
        )
        return [(each.name, each.stage) for each in self.sightings[before:]]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("p1/lyso_1_00001.cbf.gz", "p1"),
        ("p1/dark/lyso_1_00001.cbf", "p1/dark"),
        ("lyso_00001.cbf", ""),
        ("p1/lyso_master.h5", "p1/lyso_master.h5"),
        ("p1/lyso_data_000001.h5", "p1/lyso_master.h5"),
        ("p1/lyso_000001.h5", "p1/lyso_000001.h5"),
        ("p1/image.tif", None),
    ],
)
def test_what_belongs_to_what(beamline, raw, path, found):
    assert group(beamline, raw / path) == (None if found is None else raw / found)


def test_other_names_of_data_files_belong_to_a_master_that_is_there(beamline, raw):
    (raw / "run_7.nxs").touch()
    assert group(beamline, raw / "run_7_000001.h5") == raw / "run_7.nxs"
    assert group(beamline, raw / "run_7_meta.h5") == raw / "run_7.nxs"


def test_each_image_may_be_a_dataset(make_beamline, raw):
    beamline = make_beamline(technique="mx", grouping="file")
    assert group(beamline, raw / "p1/still_0001.cbf") == raw / "p1/still_0001.cbf"


def test_a_sweep_of_a_folder_is_complete_while_the_next_one_grows(beamline, raw):
    folder = raw / "cryst"
    folder.mkdir()
    for number in range(1, 4):
        write_cbf(folder / f"a_1_{number:04d}.cbf", number)
    looks = Looks(beamline, folder)
    assert looks.at(0.0) == [("a_1", "opened")]
    for number in range(1, 6):  # the second one grows each second
        write_cbf(folder / f"a_2_{number:04d}.cbf", number, started="2026-03-01T13:00:00")
        told = looks.at(float(number))
        if number == 2:
            assert told == [("a_1", "complete")]
        else:
            assert ("a_1", "complete") not in told
    assert looks.at(8.0) == [("a_2", "complete")]
    assert looks.is_settled
    first, second = (looks.sightings[-2], looks.sightings[-1])
    assert [each.inner_path for each in (first, second)] == ["a_1_####.cbf", "a_2_####.cbf"]
    assert [each.metadata["images"] for each in (first, second)] == [3, 5]
    assert first.files[0].fingerprint != second.files[0].fingerprint


def test_what_a_sweep_is_does_not_change_when_another_one_lands(beamline, raw):
    folder = raw / "cryst"
    folder.mkdir()
    write_cbf(folder / "a_1_0001.cbf", 1)
    before = Looks(beamline, folder)
    before.at(0.0), before.at(3.0)
    write_cbf(folder / "a_2_0001.cbf", 1, started="2026-03-01T13:00:00")
    after = Looks(beamline, folder)
    after.at(0.0), after.at(3.0)
    (one,) = [each for each in before.sightings if each.stage == "complete"]
    again = next(each for each in after.sightings if each.stage == "complete")
    assert (one.entry_key, one.name) == (again.entry_key, again.name)
    assert one.files[0].fingerprint == again.files[0].fingerprint


def test_a_master_waits_for_its_files(beamline, raw):
    files = [
        data_file(raw / f"lyso_data_{number:06d}.h5", counts(4), first=4 * number - 3)
        for number in (1, 2)
    ]
    hidden = raw / ".later"
    shutil.move(files[1], hidden)
    path = master(raw / "lyso_master.h5", files, 8)
    looks = Looks(beamline, path)
    assert looks.at(0.0) == [("lyso", "opened")]
    assert looks.at(100.0) == []
    assert looks.at(700.0) == [("lyso", "incomplete")]
    shutil.move(hidden, files[1])
    assert looks.at(701.0) == [("lyso", "complete")]
    (main, *linked) = looks.sightings[-1].files
    assert (main.role, [each.path for each in linked]) == ("data", [each.name for each in files])


def test_a_master_of_an_aborted_sweep_is_incomplete_once_it_is_over(beamline, raw):
    files = [data_file(raw / "lyso_data_000001.h5", counts(4))]
    looks = Looks(beamline, master(raw / "lyso_master.h5", files, 8))
    looks.at(0.0)
    assert looks.at(13.0) == [("lyso", "incomplete")]
    assert "4 of 8 announced frames" in str(looks.sightings[-1].reason)


def test_images_without_a_master_are_told_so(beamline, raw):
    with h5py.File(raw / "lyso_0001.h5", "w") as file:
        file["entry/data/data"] = np.zeros((2, 16, 16), np.uint16)
    looks = Looks(beamline, raw / "lyso_0001.h5")
    looks.at(0.0)
    assert looks.at(13.0) == [("lyso_0001", "broken")]
    assert "NXmx" in str(looks.sightings[-1].reason)


def test_a_file_of_images_wakes_its_master_and_is_no_dataset(
    start, ledger, raw, make_beamline, wait_for
):
    files = [raw / f"lyso_data_{number:06d}.h5" for number in (1, 2)]
    start(make_beamline(technique="mx", timeout_seconds=60, rescan_seconds=30))
    data_file(files[0], counts(4))
    master(raw / "lyso_master.h5", files, 8)
    wait_for(lambda: ledger.of("lyso", "opened"))
    data_file(files[1], counts(4), first=5)
    wait_for(lambda: ledger.of("lyso"))
    assert {each.name for each in ledger.sightings} == {"lyso"}
    assert ledger.of("lyso")[0].metadata["images"] == 8


def test_sweeps_land_one_after_the_other(start, ledger, raw, make_beamline, wait_for):
    (raw / "cryst").mkdir()
    start(make_beamline(technique="mx", rescan_seconds=30))
    for sweep in (1, 2):
        for number in range(1, 4):
            started = f"2026-03-01T1{sweep}:00:00"
            write_cbf(raw / f"cryst/a_{sweep}_{number:04d}.cbf.gz", number, started=started)
        wait_for(lambda sweep=sweep: ledger.of(f"a_{sweep}"))
    assert [each.metadata["images"] for each in ledger.sightings if each.stage == "complete"] == [
        3,
        3,
    ]
    assert {each.name for each in ledger.sightings} == {"a_1", "a_2"}


def test_a_template_reads_sample_and_proposal_off_the_sweeps_own_path(make_beamline, raw):
    taken = {}
    for template in ("{sample}/{_}", "{proposal}/{scan}", "{proposal}"):
        beamline = make_beamline(technique="mx", path_template=template, series="folder")
        folder = raw / "cryst"
        folder.mkdir(exist_ok=True)
        write_cbf(folder / "a_1_0001.cbf", 1)
        looks = Looks(beamline, folder)
        looks.at(0.0)
        (seen,) = looks.sightings
        assert seen.series.of == str(folder)
        taken[template] = (seen.sample, seen.proposal, seen.name)
    assert taken == {
        "{sample}/{_}": ("cryst", None, "a_1"),
        "{proposal}/{scan}": (None, "cryst", "a_1"),
        "{proposal}": (None, "cryst", "a_1"),
    }


@pytest.mark.parametrize("template", ["", "{scan}"])
def test_a_sweep_is_called_without_the_word_master(make_beamline, raw, template):
    beamline = make_beamline(technique="mx", path_template=template)
    files = [data_file(raw / "lyso_3_data_000001.h5", counts(8))]
    looks = Looks(beamline, master(raw / "lyso_3_master.h5", files, 8))
    assert looks.at(0.0) == [("lyso_3", "complete")]
