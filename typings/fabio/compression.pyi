from typing import Any

from numpy.typing import NDArray

def decByteOffset(stream: bytes, size: int | None = None, dtype: str = "int64") -> NDArray[Any]: ...
