"""A real RunEngine, Bluesky's own proxy, our listener, and the inbox of a real catalogue."""

import pickle
import time
from pathlib import Path

import msgpack
import msgpack_numpy
import numpy as np
import pytest
import zmq
import zmq.auth
from sqlalchemy import text

from infra.simulator import bluesky
from infra.simulator.bluesky import Station, publisher, small_plan
from infra.simulator.bluesky_proxy import proxy
from tests.conftest import free_port
from triggers import packed
from triggers.reports import RefusedError


class Bomb:
    """Unpickled, it would leave a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def addresses():
    return f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"


@pytest.fixture
def station(raw):
    """Measure at a station that publishes to a proxy; return the uid of the run."""

    def measure(between, name, seconds=0.0, prefix="", **more):
        with publisher(between.publish, prefix=prefix) as publish:
            return Station(raw, (publish,)).measure(small_plan(name, seconds), **more)

    return measure


def send(address, message):
    """Publish raw bytes."""
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        socket.connect(f"tcp://{address}")
        time.sleep(bluesky.MEETING_SECONDS)
        socket.send(message)


@pytest.mark.parametrize("ending", ["success", "abort", "fail"])
def test_a_run_is_reported_with_its_end(ending, addresses, listen, station, raw, heard, wait_for):
    with proxy(*addresses) as between:
        listen(bluesky={"address": between.subscribe})
        uid = station(between, "tooth", 0.3, ending=ending)
        (row,) = wait_for(heard.ended)
    assert (row.beamline_id, row.source, row.key) == ("imaging", "bluesky", uid)
    assert row.paths == [str(raw / "tooth.nxs")]
    said = row.payload
    assert (said["uid"], said["proposal"], said["sample"]) == (uid, "2026-0117", "foam")
    assert (said["scan"], said["plan"]) == ("tooth", "tomography")
    assert said["metadata"]["bluesky"]["beamline_id"] == "simulated"
    if ending == "success":
        assert (said["stage"], said["expected_frames"]) == ("finished", 121)
    else:
        assert said["stage"] == "aborted"
        assert ("beam was lost" if ending == "abort" else "shutter") in said["reason"]
    wait_for(lambda: heard.status("bluesky").arrivals == 1)
    assert heard.status("bluesky").heard_at is not None


def test_a_pickle_is_refused_counted_and_never_opened(
    addresses, listen, station, raw, heard, wait_for, tmp_path, caplog
):
    bomb = tmp_path / "went off"
    messages = [
        b" start " + pickle.dumps({"uid": Bomb(bomb)}),
        b" start " + pickle.dumps({"uid": Bomb(bomb)}, protocol=0),
        b" start " + bluesky.PACK({"uid": "a", "x": np.array([Bomb(bomb)], dtype=object)}),
        b" start not msgpack",
        b"nothing",
    ]
    with proxy(*addresses) as between:
        listen(bluesky={"address": between.subscribe})
        for message in [*messages, messages[0]]:
            send(between.publish, message)
        wait_for(lambda: heard.status("bluesky").refused == 6)
        station(between, "after")
        assert wait_for(heard.ended)
    assert not bomb.exists()
    warnings = [record.message for record in caplog.records if "refuses" in record.message]
    assert sum("is a pickle" in each for each in warnings) == 1
    assert len(warnings) == 3  # pickles, what is not msgpack, and from another sender


def test_only_its_own_prefix_counts(addresses, listen, station, raw, heard, wait_for):
    with proxy(*addresses) as between:
        listen(bluesky={"address": between.subscribe, "prefix": "bl07"})
        for prefix in ("bl070", "bl08", "bl07"):
            station(between, f"of-{prefix}", prefix=prefix)
        assert [row.payload["scan"] for row in wait_for(heard.ended)] == ["of-bl07"]


def test_keys_open_an_encrypted_proxy(addresses, listen, station, raw, heard, wait_for, tmp_path):
    public = tmp_path / "public"
    public.mkdir()
    server_public, server_secret = zmq.auth.create_certificates(tmp_path, "server")
    client_public, client_secret = zmq.auth.create_certificates(tmp_path, "client")
    (public / "client.key").write_bytes(Path(client_public).read_bytes())
    mine, secret = zmq.auth.load_certificate(client_secret)
    keys = {
        "server_key": zmq.auth.load_certificate(server_public)[0].decode(),
        "public_key": mine.decode(),
        "secret_key": secret.decode(),
    }
    with proxy(*addresses, server_key=Path(server_secret), client_keys=public) as between:
        listen(bluesky={"address": between.subscribe, **keys})
        station(between, "tooth")
        assert wait_for(heard.ended)


def test_without_the_key_it_says_that_it_hears_nothing(addresses, listen, tmp_path):
    (tmp_path / "public").mkdir()
    _, secret = zmq.auth.create_certificates(tmp_path, "server")
    with proxy(*addresses, server_key=Path(secret), client_keys=tmp_path / "public") as between:
        listen("unreachable", bluesky={"address": between.subscribe})


def test_a_proxy_may_come_late_and_go(addresses, listen, heard, wait_for):
    listen("unreachable", bluesky={"address": addresses[1]})
    with proxy(*addresses):
        wait_for(lambda: heard.status("bluesky").state == "listening")
    wait_for(lambda: heard.status("bluesky").state == "unreachable")


def test_reports_wait_for_a_catalogue_that_is_away(
    addresses, listen, station, raw, heard, admin_engine, catalog_database, wait_for
):
    def let_in(allowed):
        with admin_engine.connect() as connection:
            connection.execute(
                text(f"ALTER DATABASE {catalog_database} ALLOW_CONNECTIONS {allowed}")
            )
            if not allowed:
                ends = (
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                )
                connection.execute(text(ends), {"name": catalog_database})

    with proxy(*addresses) as between:
        listen(bluesky={"address": between.subscribe})
        let_in(False)
        uids = [station(between, f"scan-{number}") for number in range(3)]
        let_in(True)
        assert {
            row.key for row in wait_for(lambda: len(heard.rows()) == 3 and heard.ended())
        } == set(uids)


def test_numbers_of_numpy_are_read_without_its_decoder():
    document = {
        "uid": "a",
        "number": np.float32(0.5),
        "whole": np.int64(7),
        "few": np.arange(3),
        "many": np.zeros(5000),
        "yes": np.bool_(True),
    }
    data = msgpack.packb(document, default=msgpack_numpy.encode)
    assert packed.document(b"start", data)[1] == {
        **{"uid": "a", "number": 0.5, "whole": 7, "few": [0, 1, 2], "many": None, "yes": True}
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        msgpack.packb([1]),
        msgpack.packb({b"nd": True, b"kind": b"O", b"data": b"cos\nsystem\n"}),
        b"\x81" * 5000,
    ],
)
def test_what_is_no_document_is_refused(data):
    with pytest.raises(RefusedError):
        packed.document(b"start", data)
