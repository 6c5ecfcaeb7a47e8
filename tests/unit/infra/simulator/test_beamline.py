from infra.simulator import truth
from infra.simulator.beamline import next_number, night


def test_a_night_brings_scans_of_every_kind_with_names_of_their_own():
    jobs = list(night(8))
    scans = [scan for job in jobs for scan in job.scans]
    assert len({scan.name for scan in scans}) == 7
    assert {scan.name.partition("-")[0] for scan in scans} == {
        f"scan_{number:04d}" for number in range(8, 14)
    }
    assert {scan.layout for scan in scans} == {"dxchange", "nxtomo", "tiff_folder"}
    assert {scan.delivery.way for scan in scans} == {"slow", "rename", "linked"}
    assert sum(not scan.calibrations_inside for scan in scans) == 1
    assert len({scan.uid for scan in scans}) == 7
    assert max(len(job.scans) for job in jobs) == 2


def test_the_next_night_goes_on_counting(tmp_path):
    assert next_number(tmp_path) == 1
    for job in night(1):
        for scan in job.scans:
            truth.write(tmp_path, scan)
    assert next_number(tmp_path) == 7
