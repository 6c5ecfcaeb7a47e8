"""How things are named outside: by where this catalogue has them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from catalog.queries.results import content_url


@dataclass(frozen=True)
class Addresses:
    """Names of things, below the address of the catalogue."""

    public_url: str

    def dataset(self, dataset_id: UUID) -> str:
        """Return the page of a dataset."""
        return f"{self.public_url.rstrip('/')}/datasets/{dataset_id}"

    def run(self, run_id: UUID) -> str:
        """Return the page of a run."""
        return f"{self.public_url.rstrip('/')}/runs/{run_id}"

    def content(self, dataset_id: UUID, file_id: UUID) -> str:
        """Return where a file of a result is served."""
        return f"{self.public_url.rstrip('/')}{content_url(dataset_id, file_id)}"

    def raw_file(self, file_id: UUID) -> str:
        """Return the name of a file that is not served."""
        return f"urn:uuid:{file_id}"
