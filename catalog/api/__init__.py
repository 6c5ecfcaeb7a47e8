"""The HTTP layer that answers questions about results and provenance."""

from catalog.api.app import create_app

__all__ = ["create_app"]
