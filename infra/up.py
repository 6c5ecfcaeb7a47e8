"""``dayseye up``: one platform on one state folder, until it is told to stop."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.addresses import Addresses
from infra.flow_choice import check_flows
from infra.leftovers import end_leftovers
from infra.processes import spawn
from infra.services import services
from infra.settings import SETTINGS_FILE, Settings, load_settings
from infra.state import State, StateError, port_is_free
from infra.supervisor import Supervisor


def up(settings_file: Path | None, announce: Callable[[Addresses, float], None]) -> None:
    """Start the platform and keep it up until SIGTERM or SIGINT.

    Parameters
    ----------
    settings_file : Path, optional
        ``dayseye.toml`` by default.
    announce : callable
        Told the addresses, and the seconds that it took, when everything is ready.

    Raises
    ------
    ConfigurationError, StateError, StartError, PostgresError
        The platform cannot start; the message says why and what to do.
    """
    began = time.monotonic()
    settings = load_settings(settings_file)
    check_flows(settings.beamlines)
    state = State(settings.state)
    with state.lock():
        end_leftovers(state.services_file)
        addresses = Addresses(settings, state)
        _check_ports(addresses)
        file = (settings_file or Path(os.environ.get("DAYSEYE_SETTINGS", SETTINGS_FILE))).absolute()
        supervisor = Supervisor(state, services(addresses, file))
        supervisor.run(lambda: announce(addresses, time.monotonic() - began))


def _check_ports(addresses: Addresses) -> None:
    """Refuse to start beside another program that has taken one of our ports."""
    embedded = {"api", "dask"}
    if addresses.postgres:
        embedded.add("postgres")
    if not addresses.settings.services.prefect_api_url:
        embedded.add("prefect")
    for name in sorted(embedded):
        port = addresses.port(name)
        if not port_is_free(port, addresses.host):
            raise StateError(
                f"Port {port} of {name} is in use by another program; end that one, or choose "
                f"another port: services.ports.{name} in the settings."
            )


@dataclass(frozen=True)
class Running:
    """A platform that runs as a child of this process.

    Attributes
    ----------
    addresses : Addresses
        Where its services are.
    process : Popen
        The supervisor.
    """

    addresses: Addresses
    process: "subprocess.Popen[bytes]"

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return self.addresses.settings

    @property
    def state(self) -> State:
        """Its state folder."""
        return self.addresses.state

    def services(self) -> dict[str, dict[str, Any]]:
        """Return what the supervisor says about each service."""
        return service_states(self.state)


def service_states(state: State) -> dict[str, dict[str, Any]]:
    """Return what the last supervisor of a state folder said about each service."""
    if not state.services_file.exists():
        return {}
    return json.loads(state.services_file.read_text())["services"]


@contextmanager
def running(
    settings_file: Path, *, environment: Mapping[str, str] | None = None, patience: float = 180.0
) -> Iterator[Running]:
    """Run a platform as a child of this process: for the demo and for tests.

    Parameters
    ----------
    settings_file : Path
        Its settings.
    environment : mapping, optional
        Added to this process's environment.
    patience : float
        Seconds until it must be up.

    Yields
    ------
    Running
        When everything is ready. It is stopped on exit, and dies with this process.

    Raises
    ------
    StateError
        It ended, or was not up in time; the message has what it said.
    """
    settings = load_settings(settings_file)
    state = State(settings.state)
    said = state.logs / "up.log"
    said.unlink(missing_ok=True)
    process = spawn(
        [sys.executable, "-m", "infra.cli", "--settings", str(settings_file), "up"],
        env={**os.environ, **(environment or {})},
        log=said,
        death_signal=signal.SIGTERM,
    )
    try:
        _wait_until_up(process, state, said, patience)
        yield Running(Addresses(settings, state), process)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def _wait_until_up(
    process: "subprocess.Popen[bytes]", state: State, said: Path, patience: float
) -> None:
    deadline = time.monotonic() + patience
    while not _is_up(process.pid, state):
        if process.poll() is not None or time.monotonic() > deadline:
            raise StateError(f"The platform did not come up: {said.read_text().strip()}")
        time.sleep(0.1)


def _is_up(pid: int, state: State) -> bool:
    if not state.services_file.exists():
        return False
    told = json.loads(state.services_file.read_text())
    stages = {each["stage"] for each in told["services"].values()}
    return told["supervisor"] == pid and stages <= {"ready", "done"}
