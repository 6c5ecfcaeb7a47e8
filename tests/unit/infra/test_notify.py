"""Messages: to a real HTTP server and a real mail server, once per group and channel."""

import json
import socket
import threading
from datetime import timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import text
from sqlalchemy.orm import Session

from catalog import notifications, recipes
from infra.caretaker.messages import send
from infra.notify import channels
from infra.sections import Notifications

NOW = timedelta()


class Receiver:
    """A web server that keeps what is posted to it."""

    def __init__(self):
        self.posts, self.keys, self.answers = [], [], []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.keys.append(self.headers["Idempotency-Key"])
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status == 200:
                    receiver.posts.append(json.loads(body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/hook"


class Mailbox:
    """What a mail server has taken; some of it it refuses."""

    def __init__(self):
        self.mails, self.refusals = [], 0

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        if self.refusals:
            self.refusals -= 1
            return "451 try again"
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def mailbox():
    box = Mailbox()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        box.port = listener.getsockname()[1]
    controller = Controller(box, "127.0.0.1", box.port, server_hostname="localhost")
    controller.start()
    yield box
    controller.stop()


@pytest.fixture
def ways(receiver, mailbox):
    settings = Notifications(
        webhook=receiver.url,
        email_to=("a@example.org", "b@example.org"),
        smtp_port=mailbox.port,
    )
    return channels(settings, "http://dayseye.example")


@pytest.fixture
def engine(catalog_engine, tmp_path):
    with Session(catalog_engine) as session, session.begin():
        recipes.publish_flow(session, "ct", "ct", "1", {"type": "object", "properties": {}})
        recipes.publish_beamline(
            session,
            id="imaging",
            name="Imaging",
            technique="ct",
            flow="ct",
            folders=[tmp_path],
            output_template="/processed/{scan}",
        )
    return catalog_engine


def tell(engine, kind, *subjects):
    with Session(engine) as session, session.begin():
        for subject in subjects:
            notifications.begin(session, kind, subject, f"{kind} of {subject}", beamline="imaging")


def due_again(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE notification SET next_try_at = now()"))


def test_messages_of_a_kind_go_out_as_one(engine, ways, receiver, mailbox):
    tell(engine, "failure", *(f"scan {number}" for number in range(120)))
    tell(engine, "backlog", "runs")
    assert send(engine, ways, NOW) == 2
    assert [(post["kind"], post["count"]) for post in receiver.posts] == [
        ("failure", 120),
        ("backlog", 1),
    ]
    first = receiver.posts[0]
    assert first["title"] == "run failed (120)"
    assert "failure of scan 0" in first["text"] and "and 70 more" in first["text"]
    assert first["messages"][0]["beamline"] == "imaging"
    (to, mail), _ = mailbox.mails
    assert to == ["a@example.org", "b@example.org"]
    assert mail["Subject"] == "[Dayseye] run failed (120)"
    assert "http://dayseye.example" in mail.get_payload(decode=True).decode()
    assert send(engine, ways, NOW) == 0
    assert len(receiver.posts) == len(mailbox.mails) == 2


def test_a_group_waits_for_more(engine, ways, receiver):
    tell(engine, "failure", "scan 1")
    assert send(engine, ways, timedelta(seconds=60)) == 0
    with engine.begin() as connection:
        connection.execute(text("UPDATE notification SET at = at - interval '61 seconds'"))
    tell(engine, "failure", "scan 2")
    assert send(engine, ways, timedelta(seconds=60)) == 1
    assert [post["count"] for post in receiver.posts] == [2]


def test_what_was_not_taken_is_sent_again_and_only_there(engine, ways, receiver, mailbox):
    receiver.answers = [503, 500]
    tell(engine, "failure", "scan 1")
    for _ in range(3):
        send(engine, ways, NOW)
        tell(engine, "failure", "scan 2")  # comes meanwhile: not in the group that is under way
        due_again(engine)
    (first,) = [post for post in receiver.posts if "of scan 1" in post["text"]]
    assert first["count"] == 1
    assert receiver.keys.count(first["id"]) == 3
    ids = [mail["Message-ID"] for _, mail in mailbox.mails]
    assert sorted(ids) == sorted(f"<{post['id']}@dayseye>" for post in receiver.posts)


def test_a_mail_server_that_refuses_is_asked_again(engine, ways, receiver, mailbox):
    mailbox.refusals = 2
    tell(engine, "failure", "scan 1")
    for _ in range(4):
        send(engine, ways, NOW)
        due_again(engine)
    assert len(mailbox.mails) == len(receiver.posts) == 1


def test_the_pause_between_tries_grows(engine, ways, receiver):
    receiver.answers = [500] * 4
    tell(engine, "failure", "scan 1")
    pauses = []
    for _ in range(4):
        send(engine, ways, NOW)
        with engine.begin() as connection:
            wait = text("SELECT extract(epoch FROM next_try_at - now()) FROM notification")
            pauses.append(round(connection.scalar(wait)))
        assert send(engine, ways, NOW) == 0
        due_again(engine)
    assert pauses == [10, 20, 40, 80]
    assert receiver.posts == []


def test_a_receiver_that_is_away_loses_nothing(engine, ways, receiver, mailbox):
    receiver.server.shutdown()
    receiver.server.server_close()
    tell(engine, "failure", "scan 1")
    assert send(engine, ways, NOW) == 0
    with Session(engine) as session:
        (waiting,) = notifications.newest(session)
    assert waiting.delivered == ["email"] and waiting.sent_at is None
    assert "the webhook does not answer" in waiting.last_error


def test_a_condition_is_told_when_it_begins_and_not_again(engine, ways, receiver):
    for _ in range(3):
        tell(engine, "low_disk", "/data")
        send(engine, ways, NOW)
    with Session(engine) as session, session.begin():
        assert notifications.lasting(session, "low_disk") == ["/data"]
        assert notifications.end(session, "low_disk", "/data")
        assert not notifications.end(session, "low_disk", "/data")
        assert notifications.lasting(session, "low_disk") == []
    tell(engine, "low_disk", "/data")
    send(engine, ways, NOW)
    assert len(receiver.posts) == 2


def test_without_a_channel_nothing_piles_up(engine, ways, receiver):
    tell(engine, "failure", "scan 1")
    assert send(engine, [], NOW) == 1
    assert send(engine, ways, NOW) == 0
    assert receiver.posts == []
