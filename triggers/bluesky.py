"""Bluesky documents over 0MQ: one thread per beamline listens to its proxy."""

from __future__ import annotations

import threading

import zmq
from zmq.utils.monitor import recv_monitor_message

from triggers.beamline import Beamline
from triggers.documents import Documents
from triggers.packed import document
from triggers.reporter import Reporter
from triggers.reports import RefusedError
from triggers.rules import BlueskyTrigger

SOURCE = "bluesky"
WAIT_MS = 1000
HEARTBEAT_MS = 10_000
LARGEST_MESSAGE = 64 * 2**20
CONNECTED = zmq.EVENT_HANDSHAKE_SUCCEEDED
LOST = (
    zmq.EVENT_DISCONNECTED,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
)


def listen(beamline: Beamline, reporter: Reporter, stop: threading.Event) -> None:
    """
    Report the runs of a beamline until told to stop.

    What is published while nobody listens is lost: the files are found by other ways then.
    """
    trigger = beamline.triggers.bluesky
    if trigger is None:
        return
    context = zmq.Context()
    try:
        _Listener(beamline, trigger, reporter, context).run(stop)
    finally:
        context.destroy(linger=0)


class _Listener:
    def __init__(
        self,
        beamline: Beamline,
        trigger: BlueskyTrigger,
        reporter: Reporter,
        context: zmq.Context[zmq.Socket[bytes]],
    ) -> None:
        self._beamline, self._trigger, self._reporter = beamline, trigger, reporter
        self._documents = Documents(trigger.paths)
        self._socket = subscribe(context, trigger)
        self._monitor = self._socket.get_monitor_socket()
        self._address = endpoint(trigger.address)
        self._socket.connect(self._address)
        reporter.state(beamline, SOURCE, "unreachable", f"No proxy at {self._address} yet.")

    def run(self, stop: threading.Event) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        while not stop.is_set():
            ready = dict(poller.poll(WAIT_MS))
            if self._monitor in ready:
                self._note_connection()
            if self._socket in ready:
                self._take(self._socket.recv())

    def _note_connection(self) -> None:
        event = recv_monitor_message(self._monitor)["event"]
        if event == CONNECTED:
            self._reporter.state(self._beamline, SOURCE, "listening")
        elif event in LOST:
            note = f"The proxy at {self._address} does not answer, or does not let us in."
            self._reporter.state(self._beamline, SOURCE, "unreachable", note)

    def _take(self, message: bytes) -> None:
        prefix, _, rest = message.partition(b" ")
        name, _, packed = rest.partition(b" ")
        sender = f"{self._address} {prefix[:40].decode(errors='replace')}".strip()
        try:
            report = self._documents.take(*document(name, packed))
        except RefusedError as error:
            self._reporter.refused(self._beamline, SOURCE, sender, error)
            return
        if report is None:
            self._reporter.heard(self._beamline, SOURCE)
        else:
            self._reporter.report(self._beamline, SOURCE, report)


def subscribe(
    context: zmq.Context[zmq.Socket[bytes]], trigger: BlueskyTrigger
) -> zmq.Socket[bytes]:
    """Make a socket that subscribes to the documents of a trigger; it is not connected yet."""
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 100_000)
    socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)
    socket.setsockopt(zmq.RECONNECT_IVL, 200)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 5000)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)  # a machine that vanished says no good-bye
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * HEARTBEAT_MS)
    if trigger.server_key and trigger.public_key and trigger.secret_key:
        socket.setsockopt_string(zmq.CURVE_SERVERKEY, trigger.server_key)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, trigger.public_key)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, trigger.secret_key.get_secret_value())
    # the space ends the prefix: that of another beamline may begin like this one's
    socket.setsockopt_string(zmq.SUBSCRIBE, f"{trigger.prefix} " if trigger.prefix else "")
    return socket


def endpoint(address: str) -> str:
    """Return the address of a proxy as 0MQ writes it."""
    return address if "://" in address else f"tcp://{address}"
