"""The caretaker's own process: copies that were asked for, digests, messages to a web server."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import custody
from catalog.lifecycle import note
from catalog.models import Dataset, DatasetFile, Notification, Replica
from infra.state import State


@pytest.fixture
def posts():
    taken = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    taken.append(f"http://127.0.0.1:{server.server_port}/")
    yield taken
    server.shutdown()
    server.server_close()


@pytest.fixture
def caretaker(house, catalog_dsn, owner_dsn, tmp_path, posts):
    settings = tmp_path / "dayseye.toml"
    settings.write_text(
        f"""
        state = "state"
        [services]
        dsn = "{owner_dsn}"
        application_dsn = "{catalog_dsn}"
        prefect_dsn = "postgresql+asyncpg://nobody@127.0.0.1:1/prefect"
        [archive]
        place = "copies"
        [notifications]
        webhook = "{posts.pop()}"
        group_seconds = 0.1
        low_disk_gb = 0
        """
    )
    environment = {
        **os.environ,
        "DAYSEYE_SETTINGS": str(settings),
        "DAYSEYE_CATALOG_DSN": catalog_dsn,
    }
    processes = []

    def start():
        words = [sys.executable, "-m", "infra.serve_caretaker"]
        processes.append(subprocess.Popen(words, env=environment))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def test_what_was_asked_for_is_done_in_the_background(house, caretaker, posts, tmp_path):
    scan = house.land_series("sweep", 5)
    with Session(house.engine) as session, session.begin():
        custody.ask_for_copy(session, scan, house.place.address, actor="staff")
        dataset = session.get_one(Dataset, scan)
        for number in range(30):
            note(session, dataset, "test", actor="me", reason=f"alarm {number}", alarm=True)
    first = caretaker()

    def of(column):
        with Session(house.engine) as session:
            return session.scalars(select(column)).all()

    wait_for(lambda: of(Replica.state) == ["verified"])
    wait_for(lambda: all(of(DatasetFile.digest)))
    wait_for(lambda: all(of(Notification.sent_at)))
    (post,) = posts
    assert (post["kind"], post["count"]) == ("alarm", 30)
    assert State(tmp_path / "state").pulse("caretaker").exists()
    first.kill()
    first.wait()
    second = caretaker()
    with Session(house.engine) as session, session.begin():
        note(
            session,
            session.get_one(Dataset, scan),
            "test",
            actor="me",
            reason="once more",
            alarm=True,
        )
    wait_for(lambda: len(posts) == 2)
    assert posts[1]["count"] == 1
    began = time.monotonic()
    second.send_signal(signal.SIGTERM)
    assert second.wait(20) == 0
    assert time.monotonic() - began < 10
