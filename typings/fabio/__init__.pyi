from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

class FabioFrame:
    data: NDArray[Any]
    start: int | None
    blobsize: int | None
    incomplete_data: bool

class FabioImage:
    data: NDArray[Any]
    dtype: np.dtype[Any]
    header: dict[str, str]
    nframes: int
    shape: tuple[int, ...]
    def frames(self) -> Iterable[FabioFrame]: ...
    def get_frame(self, num: int) -> FabioFrame: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

def open(filename: str, frame: int | None = None) -> FabioImage: ...
