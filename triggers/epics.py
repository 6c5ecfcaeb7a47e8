"""EPICS areaDetector: the end of a capture, and the name of the file that it went to.

One thread per beamline takes what Channel Access tells and reports it; caproto's own threads only
put it into a queue, since nothing may be read from the IOC inside their callbacks.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from caproto import CaprotoError
from caproto._utils import get_address_and_port_from_string
from caproto.threading.client import PV, Context, SharedBroadcaster

from triggers.beamline import Beamline
from triggers.reporter import Reporter
from triggers.reports import Report, local_path
from triggers.rules import EpicsTrigger

log = logging.getLogger(__name__)

SOURCE = "epics"
CAPTURE, NAME = "Capture_RBV", "FullFileName_RBV"
CAPTURED, STATUS, MESSAGE = "NumCaptured_RBV", "WriteStatus", "WriteMessage"
READ_SECONDS = 2.0
WAIT_SECONDS = 1.0
SEARCH_SECONDS = 240.0
"""Then the search begins anew: caproto gives up after a while."""


@dataclass(frozen=True)
class Told:
    """A value that came, or a connection that came or went (value None: gone)."""

    what: str
    value: Any
    at: float = 0.0


class Broadcaster(SharedBroadcaster):
    """Searches at given addresses rather than at those of the environment."""

    def __init__(self, addresses: tuple[str, ...], port: int = 5064) -> None:
        self._addresses = [get_address_and_port_from_string(each, port) for each in addresses]
        super().__init__()

    def send(self, *commands: Any) -> None:
        """Send to each address."""
        packed, socket = self.broadcaster.send(*commands), self.udp_sock
        for address in self._addresses:
            if socket is not None:
                socket.sendto(packed, address)


def listen(beamline: Beamline, reporter: Reporter, stop: threading.Event) -> None:
    """Report the captures of a beamline until told to stop."""
    trigger = beamline.triggers.epics
    if trigger is None:
        return
    note = f"No {trigger.prefix}{CAPTURE} answers yet."
    reporter.state(beamline, SOURCE, "unreachable", note)
    while not stop.is_set():
        broadcaster = Broadcaster(trigger.addresses) if trigger.addresses else SharedBroadcaster()
        context = Context(broadcaster, timeout=READ_SECONDS)
        try:
            Captures(beamline, trigger, reporter, context).run(stop)
        finally:
            context.disconnect()


class Captures:
    """Follows one file plugin as long as it can be reached."""

    def __init__(
        self, beamline: Beamline, trigger: EpicsTrigger, reporter: Reporter, context: Context
    ) -> None:
        self._beamline, self._reporter, self._trigger = beamline, reporter, trigger
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._connected_at = time.monotonic()
        self._is_connected = False
        self._started: float | None = None
        self._file = self._last_file = Told(NAME, "")
        names = [f"{trigger.prefix}{each}" for each in (CAPTURE, NAME, CAPTURED, STATUS, MESSAGE)]
        self._pvs: dict[str, PV] = {
            pv.name.removeprefix(trigger.prefix): pv
            for pv in context.get_pvs(*names, connection_state_callback=self._connection)
        }
        self._kept: list[Any] = []  # caproto holds callbacks weakly
        for what in (NAME, CAPTURE):
            subscription = self._pvs[what].subscribe(data_type="time")
            callback = self._callback(what)
            subscription.add_callback(callback)
            self._kept += [subscription, callback]

    # -- callbacks, in caproto's threads: nothing but the queue --------------------------------

    def _callback(self, what: str) -> Any:
        def put(subscription: Any, response: Any) -> None:
            self._told.put(Told(what, value_of(response), response.metadata.timestamp))

        return put

    def _connection(self, pv: PV, state: str) -> None:
        if pv.name.endswith(CAPTURE):
            self._told.put(Told("connection", state == "connected"))

    # -- our thread ----------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Take what comes, until told to stop or nothing has answered for long."""
        while not stop.is_set():
            lost_for = time.monotonic() - self._connected_at
            if not self._is_connected and lost_for > SEARCH_SECONDS:
                return
            try:
                self._take(self._told.get(timeout=WAIT_SECONDS))
            except queue.Empty:
                continue

    def _take(self, told: Told) -> None:
        self._reporter.heard(self._beamline, SOURCE)
        if told.what == "connection":
            self._connection_changed(bool(told.value))
        elif told.what == NAME:
            self._file = told
            self._tell_start()
        elif int(told.value) != 0:
            self._started = told.at
            self._tell_start()
        else:
            self._tell_end(told.at)

    def _connection_changed(self, is_connected: bool) -> None:
        self._is_connected, self._connected_at = is_connected, time.monotonic()
        note = None if is_connected else f"{self._trigger.prefix}{CAPTURE} does not answer."
        state = "listening" if is_connected else "unreachable"
        self._reporter.state(self._beamline, SOURCE, state, note)

    def _tell_start(self) -> None:
        if self._started is not None and self._file is not self._last_file:
            self._tell(str(self._file.value), self._started, {"stage": "started"})

    def _tell_end(self, ended: float) -> None:
        """Report a capture that is over, also one that ended while we were not there."""
        started, self._started = self._started, None
        is_named = started is not None and self._file is not self._last_file
        name = self._file.value if is_named else self._read(NAME)
        self._last_file = self._file
        payload: dict[str, Any] = {"stage": "finished"}
        if self._read(STATUS) == 1:
            said = self._read(MESSAGE) or "no message"
            payload = {"stage": "aborted", "reason": f"areaDetector could not write: {said}"}
        elif isinstance(captured := self._read(CAPTURED), int) and captured > 0 and started:
            payload["expected_frames"] = captured
        self._tell(str(name or ""), started or ended, payload)

    def _tell(self, name: str, at: float, payload: dict[str, Any]) -> None:
        if not name or name.endswith(("/", "\\")):
            return
        path, moment = local_path(name, self._trigger.paths), datetime.fromtimestamp(at, UTC)
        about = {"metadata": {"epics": {"plugin": self._trigger.prefix}}}
        report = Report(f"{path}@{moment.isoformat()}", (path,), {**about, **payload})
        self._reporter.report(self._beamline, SOURCE, report)

    def _read(self, what: str) -> Any:
        """Read a value that may not be there; the files tell what it would have told."""
        pv = self._pvs[what]
        if not pv.connected:
            return None
        try:
            return value_of(pv.read(data_type="time"))
        except (CaprotoError, OSError) as error:
            log.warning("%s could not be read: %s", pv.name, error)
            return None


def value_of(response: Any) -> Any:
    """Return a text, also one that came as a waveform of characters, or a number."""
    data = response.data
    if isinstance(data, bytes):
        return _text(data)
    first = data[0] if len(data) else None
    if isinstance(first, bytes):
        return _text(first)
    if response.data_type.name.endswith("CHAR"):
        return _text(bytes(int(each) & 0xFF for each in data))
    return None if first is None else first.item() if hasattr(first, "item") else first


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode(errors="surrogateescape")
