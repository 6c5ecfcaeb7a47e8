from collections.abc import Iterator, Mapping
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

class Metadata:
    extra_contexts: list[str]
    def __setitem__(self, key: str, value: Any) -> None: ...

class ROCrate:
    metadata: Metadata
    root_dataset: Any
    mainEntity: Any
    name: str
    description: str
    datePublished: datetime
    def __init__(self, source: Path | None = None, *, version: str = ...) -> None: ...
    def add(self, *entities: object) -> Any: ...
    def add_file(
        self,
        source: str | Path | StringIO | None = None,
        dest_path: str | None = None,
        *,
        properties: Mapping[str, Any] | None = None,
    ) -> Any: ...
    def add_dataset(
        self,
        source: str | None = None,
        *,
        properties: Mapping[str, Any] | None = None,
    ) -> Any: ...
    def dereference(self, entity_id: str) -> Any: ...
    def get_entities(self) -> Iterator[Any]: ...
    def stream_zip(self) -> Iterator[bytes]: ...
    def write(self, base_path: Path) -> None: ...
    def write_zip(self, out_path: Path) -> Path: ...
