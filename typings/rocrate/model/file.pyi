from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rocrate.rocrate import ROCrate

class File:
    def __init__(
        self,
        crate: ROCrate,
        source: Path | None = None,
        dest_path: str | None = None,
        *,
        properties: Mapping[str, Any] | None = None,
    ) -> None: ...
