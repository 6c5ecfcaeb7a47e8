"""Logs: one JSON object per line, one rotated file per service."""

import json
import logging
import os
import selectors
import sys
import threading
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

ROTATE_BYTES = 10_000_000
ROTATE_FILES = 5
MAX_LINE = 64_000
RUN_FIELDS = ("flow_run_id", "flow_run_name", "task_run_name", "dataset_id", "run_id", "attempt_id")


class JsonFormatter(logging.Formatter):
    """Format a record as one JSON object, with the ids of its run where they are known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in RUN_FIELDS:
            value = getattr(record, name, None)
            if value not in (None, "<unknown>"):
                line[name] = str(value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stdout(level: str = "INFO") -> None:
    """Let this process write its log as JSON lines; the supervisor collects them."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


class LogCollector:
    """Collects what services write and keeps it in rotated files (in a thread of its own).

    Parameters
    ----------
    folder : Path
        Gets one ``<service>.log`` per service.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._selector = selectors.DefaultSelector()
        self._files: dict[str, RotatingFileHandler] = {}
        self._last: dict[str, str] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._collect, name="logs", daemon=True)
        self._thread.start()

    def pipe(self, service: str) -> int:
        """Return a descriptor that a service may write to; the caller closes its own copy."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self._selector.register(reading, selectors.EVENT_READ, _Source(service))
        os.write(self._wake_write, b".")
        return writing

    def write(self, service: str, message: str, level: str = "INFO") -> None:
        """Add a line of our own to a service's log."""
        self._keep(service, _line(service, message, level))

    def last_message(self, service: str) -> str:
        """Return the newest message of a service."""
        return self._last.get(service, "")

    def _collect(self) -> None:
        while True:
            for key, _ in self._selector.select():
                source: _Source | None = key.data
                data = os.read(key.fd, MAX_LINE)
                if source is None:
                    continue
                if not data:
                    self._selector.unregister(key.fd)
                    os.close(key.fd)
                for line in source.lines(data):
                    self._keep(source.service, _as_json(source.service, line))

    def _keep(self, service: str, line: dict[str, Any]) -> None:
        if service not in self._files:
            self._files[service] = RotatingFileHandler(
                self.folder / f"{service}.log", maxBytes=ROTATE_BYTES, backupCount=ROTATE_FILES
            )
        self._last[service] = str(line.get("message", ""))
        text = json.dumps(line, ensure_ascii=False)
        self._files[service].handle(logging.makeLogRecord({"msg": "%s", "args": (text,)}))


class _Source:
    """Cuts the bytes of one service into lines."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._rest = b""

    def lines(self, data: bytes) -> list[str]:
        """Return the lines that are whole; at the end (no data) also what remains."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if not data or len(self._rest) > MAX_LINE:
            whole, self._rest = [*whole, self._rest], b""
        return [line.decode(errors="replace").rstrip() for line in whole if line.strip()]


def _as_json(service: str, line: str) -> dict[str, Any]:
    """Return a service's line as an object: as it is if it is one already."""
    if line.startswith("{"):
        try:
            return {"service": service, **json.loads(line)}
        except (ValueError, TypeError):
            pass
    return _line(service, line)


def _line(service: str, message: str, level: str = "INFO") -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"service": service, "time": now, "level": level, "message": message}
