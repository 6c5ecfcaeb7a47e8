"""The file that tells clients where the cluster is and with which certificate."""

import json
import socket
from pathlib import Path

from infra.state import write_whole

TLS_FILES = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}


def write_cluster_file(path: Path, address: str, tls: Path) -> None:
    """Say where the cluster is and where the certificate lies; readable by us alone."""
    files = {name: str(tls / file) for name, file in TLS_FILES.items()}
    write_whole(path, {"address": address, **files}, mode=0o600)


def reachable(path: Path) -> bool:
    """Tell whether the cluster has said where it is and listens there."""
    try:
        address: str = json.loads(path.read_text())["address"]
    except FileNotFoundError:
        return False
    host, _, port = address.partition("://")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True
