"""Nudges between processes, through the catalogue's database (LISTEN and NOTIFY).

A nudge only shortens a wait. Whoever waits also looks for itself from time to time, so that a lost
nudge, or a database that is away, costs time and nothing else.
"""

import logging
import select
import time
from collections.abc import Callable

import psycopg2
from psycopg2.extensions import connection
from sqlalchemy import make_url

LOG = logging.getLogger(__name__)
SENT = "dayseye_sent"  # Prefect was asked for a run
CRASHED = "dayseye_crashed"  # a run's process did not come to its own end
RECONNECT_SECONDS = 2.0


class Nudges:
    """Listens on channels, and connects again when the connection is lost.

    Parameters
    ----------
    dsn : str
        The catalogue, in the application's role.
    channels : tuple of str
        What to listen for.
    """

    def __init__(self, dsn: str, *channels: str) -> None:
        self._dsn = make_url(dsn).set(drivername="postgresql").render_as_string(False)
        self._channels = channels
        self._connection: connection | None = None
        self._not_before = 0.0

    def wait(self, seconds: float) -> set[str]:
        """Wait for a nudge, at most some time.

        Returns
        -------
        set of str
            The channels that were nudged; empty when the time is over.
        """
        opened = self._connected()
        if opened is None:
            time.sleep(seconds)
            return set()
        try:
            if not opened.notifies:
                select.select([opened], [], [], seconds)
                opened.poll()
        except psycopg2.Error:
            self._lost()
            return set()
        nudged = {notice.channel for notice in opened.notifies}
        opened.notifies.clear()
        return nudged

    def send(self, channel: str) -> None:
        """Nudge those who listen on a channel."""
        opened = self._connected()
        if opened is None:
            return
        try:
            opened.cursor().execute("SELECT pg_notify(%s, '')", (channel,))
        except psycopg2.Error:
            self._lost()

    def follow(self, callback: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """Call back for every nudge until stopped (in a thread of its own)."""
        while not stopped():
            if self.wait(1.0):
                callback()

    def _connected(self) -> connection | None:
        """Return the connection, opened again if it was lost, unless that failed just now."""
        if self._connection is None and time.monotonic() >= self._not_before:
            try:
                opened = psycopg2.connect(
                    self._dsn, connect_timeout=5, application_name="dayseye-nudges"
                )
                opened.autocommit = True
                for channel in self._channels:
                    opened.cursor().execute(f'LISTEN "{channel}"')
                self._connection = opened
            except psycopg2.Error as error:
                LOG.warning("The catalogue's database is away: %s", str(error).strip())
                self._not_before = time.monotonic() + RECONNECT_SECONDS
        return self._connection

    def _lost(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._not_before = time.monotonic() + RECONNECT_SECONDS
