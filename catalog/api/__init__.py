"""The HTTP layer that answers questions about results and provenance."""
