"""DIALS in place of our own search for spots, indexing, integration and scaling."""
