"""Where the services of a platform are, and the environment that they get."""

import os
from dataclasses import dataclass
from functools import cached_property

from infra.postgres import EmbeddedPostgres
from infra.prefect_server import client_environment
from infra.settings import Settings
from infra.state import State

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclass(frozen=True)
class Addresses:
    """The addresses of one platform, from its settings and its state folder."""

    settings: Settings
    state: State

    def port(self, name: str) -> int:
        """Return a service's port."""
        return self.state.port(name, self.settings.services.ports)

    @property
    def host(self) -> str:
        """The address that the services listen on."""
        return self.settings.services.host

    @cached_property
    def postgres(self) -> EmbeddedPostgres | None:
        """The embedded PostgreSQL; none where the settings name databases."""
        if self.settings.services.dsn:
            return None
        folder = self.state.folder / "postgres"
        folder.mkdir(exist_ok=True)
        return EmbeddedPostgres(folder, self.port("postgres"))

    @property
    def owner_dsn(self) -> str:
        """The catalogue as the owner of its tables (secret)."""
        given = self.settings.services.dsn
        return self.postgres.dsn("catalog", "owner") if self.postgres else str(given)

    @property
    def application_dsn(self) -> str:
        """The catalogue in the application's role (secret)."""
        given = self.settings.services.application_dsn
        return self.postgres.dsn("catalog", "app") if self.postgres else str(given)

    @property
    def prefect_dsn(self) -> str:
        """Prefect's database (secret)."""
        given = self.settings.services.prefect_dsn
        return self.postgres.dsn("prefect") if self.postgres else str(given)

    @property
    def prefect_api_url(self) -> str:
        """Prefect's API."""
        given = self.settings.services.prefect_api_url
        return given or f"http://{self.host}:{self.port('prefect')}/api"

    @property
    def prefect_ui_url(self) -> str:
        """Prefect's pages."""
        return self.prefect_api_url.removesuffix("/api")

    @property
    def api_url(self) -> str:
        """Our own API and pages, on this machine."""
        return f"http://{self.host}:{self.port('api')}"

    @property
    def public_url(self) -> str:
        """Our own API and pages in links."""
        return self.settings.services.public_url or self.api_url

    def environment(self) -> dict[str, str]:
        """Return the environment of the services; secrets are in it."""
        own = {
            "DAYSEYE_STATE": str(self.state.folder),
            "DAYSEYE_CATALOG_DSN": self.application_dsn,
            "DAYSEYE_CLUSTER_FILE": str(self.state.cluster_file),
            "DAYSEYE_PUBLIC_URL": self.public_url,
            "PYTHONUNBUFFERED": "1",
        }
        prefect = client_environment(self.state, self.prefect_api_url)
        if self.settings.services.prefect_api_url:
            # Somebody else's server has somebody else's auth string: in our own environment.
            prefect.pop("PREFECT_API_AUTH_STRING")
        told = self.settings.prediction.environment()
        return {**os.environ, **ONE_THREAD, **prefect, **own, **told}
