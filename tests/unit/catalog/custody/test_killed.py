"""kill -9 in the middle of a copy and of a purge, of a real process; a later one goes on."""

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from catalog.custody import archive, purge, resume_purges, verify

PROGRAM = """
import os, signal, sys
from uuid import UUID
from catalog import custody
from catalog.connection import engine_from_environment
from catalog.custody import Place, purging

what, dataset, place, survived = sys.argv[1:]
left = int(survived)

def counted(do):
    def die_later(*arguments):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return do(*arguments)
    return die_later

engine = engine_from_environment("to-be-killed")
if what == "archive":
    Place.put = counted(Place.put)
    custody.archive(engine, UUID(dataset), Place(place), actor="me")
elif what == "archive-unrecorded":
    Place.digest = counted(Place.digest)
    custody.archive(engine, UUID(dataset), Place(place), actor="me")
else:
    purging.unlink_below = counted(purging.unlink_below)
    custody.purge(engine, UUID(dataset), Place, actor="me")
"""


@pytest.fixture
def killed(house, catalog_dsn):
    def run(what, dataset, survived):
        environment = {**os.environ, "DAYSEYE_CATALOG_DSN": catalog_dsn}
        words = [what, str(dataset), str(house.copies), str(survived)]
        done = subprocess.run([sys.executable, "-c", PROGRAM, *words], env=environment, check=False)
        assert done.returncode == -signal.SIGKILL

    return run


def bytes_of(folder):
    return sorted(
        each.read_bytes() for each in folder.rglob("*") if each.is_file() and each.name[0] != "."
    )


@pytest.mark.parametrize("what", ["archive", "archive-unrecorded"])
@pytest.mark.parametrize("survived", [0, 3])
def test_a_copy_killed_in_the_middle_goes_on(house, killed, what, survived):
    scan = house.land_series("sweep", 6)
    killed(what, scan, survived)
    done = archive(house.engine, scan, house.place, actor="me")
    assert (done.state, done.files) == ("verified", 6)
    assert bytes_of(house.copies) == bytes_of(house.raw)
    assert not list(house.copies.rglob("*.partial"))
    assert verify(house.engine, scan, house.open_place, actor="me").findings == []


@pytest.mark.parametrize("survived", [0, 1])
def test_a_purge_killed_in_the_middle_goes_on(house, killed, survived):
    house.may_purge(derived=timedelta())
    result = house.reduce(house.land("tooth"))
    archive(house.engine, result, house.place, actor="me")
    killed("purge", result, survived)
    assert len(bytes_of(house.processed)) == 2 - survived
    assert house.dataset(result).purged_at is not None
    (done,) = resume_purges(house.engine, house.open_place, actor="caretaker")
    assert (done.removed, done.left) == (2 - survived, [])
    assert bytes_of(house.processed) == []
    assert len(bytes_of(house.copies)) == 2
    assert house.events(result).count("purged") == 1
    assert verify(house.engine, result, house.open_place, actor="me").findings == []


def test_a_purge_again_goes_on_too(house, killed):
    house.may_purge(derived=timedelta())
    result = house.reduce(house.land("tooth"))
    archive(house.engine, result, house.place, actor="me")
    killed("purge", result, 1)
    assert purge(house.engine, result, house.open_place, actor="me").removed == 1
