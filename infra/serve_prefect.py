"""The Prefect server's process: its application in one uvicorn, ended by a signal."""

import sys

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings

from infra.prefect_schema import PrefectTooNewError, refuse_newer


def main() -> None:
    """Migrate Prefect's database if it is older, then serve the API and the UI."""
    server = get_current_settings().server
    address = server.database.connection_url
    if address is not None:
        try:
            refuse_newer(address.get_secret_value())
        except PrefectTooNewError as error:
            sys.exit(str(error))
    api = server.api
    uvicorn.run(
        create_app(final=True),
        host=api.host,
        port=api.port,
        timeout_keep_alive=api.keepalive_timeout,
        timeout_graceful_shutdown=3,
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
