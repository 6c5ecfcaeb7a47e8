"""The part of hdf5plugin that the project uses; it ships no types."""

from typing import Any

PLUGIN_PATH: str

class Bitshuffle(dict[str, Any]):
    def __init__(self, nelems: int = ..., cname: str | None = ..., clevel: int = ...) -> None: ...
