"""Bluesky's own 0MQ proxy, as a process: RunEngines publish to it, others subscribe to it."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 20.0


@dataclass(frozen=True)
class Proxy:
    """Where a proxy takes documents, and where it passes them on."""

    publish: str
    subscribe: str


@contextmanager
def proxy(
    publish: str, subscribe: str, *, server_key: Path | None = None, client_keys: Path | None = None
) -> Iterator[Proxy]:
    """
    Run a proxy on two addresses, each as ``127.0.0.1:5567``.

    Parameters
    ----------
    publish, subscribe
        Where to take documents, and where to pass them on.
    server_key
        File of the CURVE secret key for those who subscribe; without one, anybody may.
    client_keys
        Folder of the public keys of those who may.
    """
    command = [
        sys.executable,
        *("-m", "bluesky.commandline.zmq_proxy"),
        *("--in-address", publish, "--out-address", subscribe),
    ]
    if server_key and client_keys:
        command += ["--out-curve-secret", str(server_key), "--out-curve-client-keys"]
        command += [str(client_keys)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for address in (publish, subscribe):
            _wait_for(address, process)
        yield Proxy(publish, subscribe)
    finally:
        process.kill()
        process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The proxy does not listen on {address}") from None
            time.sleep(0.05)
