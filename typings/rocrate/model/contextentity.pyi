from collections.abc import Mapping
from typing import Any

from rocrate.rocrate import ROCrate

class ContextEntity:
    def __init__(
        self,
        crate: ROCrate,
        identifier: str | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None: ...
