"""The process of the API and the pages."""

import uvicorn

from catalog.api.app import create_app
from catalog.connection import engine_from_environment
from infra.addresses import Addresses
from infra.logs import log_to_stdout
from infra.settings import load_settings
from infra.state import State


def main() -> None:
    """Serve until told to stop."""
    log_to_stdout()
    settings = load_settings()
    addresses = Addresses(settings, State(settings.state))
    app = create_app(
        engine_from_environment("dayseye-api"),
        public_url=addresses.public_url,
        prefect_ui_url=addresses.prefect_ui_url,
        token=addresses.state.secret("api"),
    )
    uvicorn.run(
        app,
        host=addresses.host,
        port=addresses.port("api"),
        timeout_graceful_shutdown=3,
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    main()
