"""The state folder: everything that a platform keeps, and the lock that gives it to one ``up``."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import Any

# Below the range from which the kernel takes ports for outgoing connections.
PORTS = range(20_000, 32_000)


class StateError(RuntimeError):
    """The state folder cannot be used; the message says why and what to do."""


class State:
    """The folder of one platform.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        for each in (self.folder, self.logs, self.folder / "pulse"):
            each.mkdir(parents=True, exist_ok=True)
        for each in (self.folder / "secrets", self.tls, self.prefect_home):
            each.mkdir(mode=0o700, exist_ok=True)
        (self.folder / ".gitignore").write_text("*\n")

    @property
    def logs(self) -> Path:
        """The services' logs."""
        return self.folder / "logs"

    @property
    def tls(self) -> Path:
        """Certificates and keys of the cluster."""
        return self.folder / "tls"

    @property
    def prefect_home(self) -> Path:
        """Prefect's own folder."""
        return self.folder / "prefect"

    @property
    def cluster_file(self) -> Path:
        """Where clients of the cluster find its address and their certificate."""
        return self.folder / "cluster.json"

    @property
    def worker_ready(self) -> Path:
        """Is there while the worker takes runs."""
        return self.folder / "worker.ready"

    @property
    def services_file(self) -> Path:
        """What the supervisor says about its services."""
        return self.folder / "services.json"

    def pulse(self, service: str) -> Path:
        """Return the file that a service touches while it works."""
        return self.folder / "pulse" / service

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process.

        Raises
        ------
        StateError
            Another process holds it.
        """
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 32, 0).decode().strip()
                raise StateError(
                    f"{self.folder} is in use by a platform that runs already (process {holder}); "
                    "stop that one, or give this one another state folder."
                ) from None
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def locked(self) -> bool:
        """Tell whether a platform runs on this folder."""
        try:
            descriptor = os.open(self.folder / "lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def port(self, name: str, fixed: Mapping[Any, int] | None = None) -> int:
        """Return the port of a service: as set, else chosen once and then always the same."""
        if fixed and name in fixed:
            return fixed[name]
        path = self.folder / "ports.json"
        ports: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        if name not in ports:
            ports[name] = _free_port(set(ports.values()))
            write_whole(path, ports)
        return ports[name]

    def secret(self, name: str, prefix: str = "") -> str:
        """Return a secret of this platform: made once, readable by us alone."""
        path = self.folder / "secrets" / name
        if not path.exists():
            write_whole(path, prefix + secrets.token_urlsafe(32), mode=0o600)
        return path.read_text()


def write_whole(path: Path, content: Any, mode: int = 0o644) -> None:
    """Write a text, or a value as JSON, so that a reader sees the old or the new file, whole."""
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.rename(path)


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a service could listen on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _free_port(taken: set[int]) -> int:
    """Choose at random: two platforms that start at the same moment choose differently."""
    candidates = SystemRandom().sample(PORTS, 200)
    for port in candidates:
        if port not in taken and port_is_free(port):
            return port
    raise StateError(f"No free port between {PORTS.start} and {PORTS.stop} on this machine.")
