"""The services of a platform, and in which order they start."""

import signal
import sys
from pathlib import Path

from infra.addresses import Addresses
from infra.cluster_file import reachable, write_cluster_file
from infra.postgres import EmbeddedPostgres
from infra.prefect_server import (
    answers,
    http_answers,
    http_ok,
    retention,
    server_command,
    server_environment,
)
from infra.pulse import beats
from infra.reserve import Reserve
from infra.supervisor import Command, Service

LIVE_TECHNIQUES = frozenset({"mx"})
"""Of what the live view can show while it grows; the service that does is not started in vain."""


def services(addresses: Addresses, settings_file: Path) -> list[Service]:
    """List what ``dayseye up`` starts.

    Parameters
    ----------
    addresses : Addresses
        Of the platform.
    settings_file : Path
        From which the services read the settings again; it may be missing.

    Returns
    -------
    list of Service
        In the order of their start; what does not depend on each other starts side by side.
    """
    environment = addresses.environment()
    if settings_file.is_file():
        environment["DAYSEYE_SETTINGS"] = str(settings_file)

    def module(name: str, **more: str) -> Command:
        return Command([sys.executable, "-m", f"infra.{name}"], {**environment, **more})

    database = ("postgres",) if addresses.postgres else ()
    own_prefect = not addresses.settings.services.prefect_api_url
    all_services = [
        _postgres(addresses.postgres, addresses.settings.services.postgres_reserve_mb)
        if addresses.postgres
        else None,
        _prefect(addresses, environment, database) if own_prefect else None,
        Service(
            "catalogue",
            lambda: module("prepare_catalogue", DAYSEYE_OWNER_DSN=addresses.owner_dsn),
            after=database,
            once=True,
        ),
        _cluster(addresses, environment),
        Service(
            "api",
            lambda: module("serve_api"),
            ready=lambda: http_ok(f"{addresses.api_url}/api/health"),
            # Without the database it answers 503, and lives.
            alive=lambda: http_answers(f"{addresses.api_url}/api/health"),
            after=("catalogue",),
        ),
        Service(
            "triggers",
            lambda: module("serve_triggers"),
            alive=beats(addresses.state, "triggers"),
            after=("catalogue",),
        ),
        Service(
            "caretaker",
            lambda: module("serve_caretaker"),
            alive=beats(addresses.state, "caretaker"),
            after=("catalogue",),
        ),
        _live(addresses, module("serve_live")),
        # Both wait for Prefect themselves, and load what they need meanwhile.
        Service(
            "dispatcher",
            lambda: module("serve_dispatcher"),
            alive=beats(addresses.state, "dispatcher"),
            hangs_after=180.0,  # it may wait so long for an answer of Prefect
            after=("catalogue",),
        ),
        Service(
            "worker",
            # The dispatcher nudges it; this is how soon it sees what was started in the UI.
            lambda: module("serve_worker", PREFECT_WORKER_QUERY_SECONDS="2"),
            ready=addresses.state.worker_ready.exists,
            alive=beats(addresses.state, "worker"),
            prepare=lambda: addresses.state.worker_ready.unlink(missing_ok=True),
        ),
    ]
    return [service for service in all_services if service is not None]


def _live(addresses: Addresses, command: Command) -> Service | None:
    """Show what grows, where a beamline's data can be shown so."""
    beamlines = addresses.settings.beamlines
    if not any(beamline.techniques & LIVE_TECHNIQUES for beamline in beamlines):
        return None
    return Service(
        "live",
        lambda: command,
        alive=beats(addresses.state, "live"),
        after=("catalogue",),
    )


def _postgres(postgres: EmbeddedPostgres, reserve_mb: int) -> Service:
    def prepare() -> None:
        postgres.prepare()
        # It needs room to recover; the caretaker makes the reserve again when there is some.
        Reserve.beside(postgres.data, reserve_mb).give_up_if_full()

    return Service(
        "postgres",
        lambda: Command(*postgres.command()),
        prepare=prepare,
        ready=postgres.ready,
        alive=postgres.ready,
        then=postgres.create_databases,
        death_signal=signal.SIGINT,
        stop_signal=signal.SIGINT,
        stop_seconds=30.0,
    )


def _prefect(addresses: Addresses, environment: dict[str, str], after: tuple[str, ...]) -> Service:
    def command() -> Command:
        own = server_environment(
            addresses.state, addresses.port("prefect"), addresses.host, addresses.prefect_dsn
        )
        keep = retention(addresses.settings.runs)
        return Command(server_command(), {**environment, **own, **keep})

    return Service(
        "prefect",
        command,
        ready=lambda: answers(addresses.prefect_api_url),
        alive=lambda: http_answers(f"{addresses.prefect_api_url}/health"),
        after=after,
    )


def _cluster(addresses: Addresses, environment: dict[str, str]) -> Service | None:
    """Start a cluster of our own, or only say where the given one is."""
    settings, file = addresses.settings.cluster, addresses.state.cluster_file
    if settings.kind == "address":
        write_cluster_file(file, str(settings.address), settings.tls_folder or Path())
        return None
    return Service(
        "cluster",
        lambda: Command([sys.executable, "-m", "infra.serve_cluster"], environment),
        prepare=lambda: file.unlink(missing_ok=True),
        ready=lambda: reachable(file),
        alive=beats(addresses.state, "cluster"),
    )
