"""The Prefect server: how it is configured, started and found ready."""

import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import infra
from infra.sections import Runs
from infra.state import State

LOGGING_FILE = Path(infra.__file__).parent / "prefect_logging.yml"


def client_environment(state: State, api_url: str) -> dict[str, str]:
    """Return what a process needs to talk to the Prefect server: secrets are in it.

    Parameters
    ----------
    state : State
        Keeps the auth string and Prefect's own folder.
    api_url : str
        Address of Prefect's API.
    """
    return {
        "PREFECT_API_URL": api_url,
        "PREFECT_API_AUTH_STRING": auth_string(state),
        "PREFECT_HOME": str(state.prefect_home),
        "PREFECT_LOGGING_SETTINGS_PATH": str(LOGGING_FILE),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_CLIENT_METRICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def server_environment(state: State, port: int, host: str, dsn: str) -> dict[str, str]:
    """Return the settings of the server itself.

    Parameters
    ----------
    state : State
        Keeps the auth string and Prefect's own folder.
    port, host : int, str
        Where it listens.
    dsn : str
        Address of its database, for asyncpg.
    """
    url = f"http://{host}:{port}/api"
    return client_environment(state, url) | {
        "PREFECT_API_DATABASE_CONNECTION_URL": dsn,
        "PREFECT_SERVER_API_AUTH_STRING": auth_string(state),
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": url,
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(state.prefect_home / "ui"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # The UI asks our own server alone, so no other site's pages may.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{host}:{port}",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "8",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "8",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }


def retention(runs: Runs) -> dict[str, str]:
    """Return the settings by which the server forgets ended runs and events after their time.

    Its own vacuum does that, each hour in small pieces; by default it forgets events alone.
    """
    day, hour = 86_400, 3_600
    # The server takes no less than an hour.
    ended = max(runs.prefect_days * day, hour + 1)
    events = max(runs.prefect_event_days * day, hour + 1)
    return {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": f"{ended:.0f}",
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{events:.0f}S",
    }


def auth_string(state: State) -> str:
    """Return the user and password that Prefect's API and UI ask for."""
    return state.secret("prefect", prefix="dayseye:")


def server_command() -> list[str]:
    """Return the arguments of a server without a child of its own (``prefect server start``)."""
    return [sys.executable, "-m", "infra.serve_prefect"]


def answers(api_url: str, timeout: float = 1.0) -> bool:
    """Tell whether a Prefect server is there and well."""
    return http_ok(f"{api_url}/health", timeout)


def wait_for_prefect(api_url: str) -> None:
    """Wait until the Prefect server answers, however long it takes."""
    while not answers(api_url):
        time.sleep(0.1)


def http_answers(url: str, timeout: float = 5.0) -> bool:
    """Tell whether an address answers at all, be it with an error such as 503."""
    try:
        urlopen(url, timeout=timeout).close()  # noqa: S310 - our own http address
    except HTTPError:
        return True
    except (URLError, OSError):
        return False
    return True


def http_ok(url: str, timeout: float = 1.0) -> bool:
    """Tell whether an address answers with success."""
    try:
        with urlopen(url, timeout=timeout) as answer:  # noqa: S310 - our own http address
            return answer.status == 200
    except (URLError, OSError):
        return False
