"""The process of the API and the pages."""

from urllib.parse import urlsplit

import uvicorn

from catalog.access import AnonymousMode
from catalog.api.app import create_app
from catalog.api.security import LOOPBACK
from catalog.connection import engine_from_environment
from infra.addresses import Addresses
from infra.logs import log_to_stdout
from infra.settings import Settings, load_settings
from infra.state import State


def shown_without_token(settings: Settings, addresses: Addresses) -> AnonymousMode:
    """Return what is shown without a token: as set, else all where others cannot reach the API."""
    if settings.access.anonymous != "auto":
        return settings.access.anonymous
    names = (addresses.host, urlsplit(addresses.public_url).hostname)
    return "all" if all(name in LOOPBACK for name in names) else "public"


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
        anonymous=shown_without_token(settings, addresses),
        archive_place=settings.archive.place,
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
