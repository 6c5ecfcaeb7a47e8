"""What this process may compute with."""

import importlib
import os
from dataclasses import dataclass
from typing import Any

import psutil


@dataclass(frozen=True)
class Resources:
    """
    Cores, memory and GPUs that algorithms may use.

    A Dask worker with one thread builds ``Resources(cores=1, ...)`` so that workers on one machine
    do not fight for its cores.

    Attributes
    ----------
    cores
        Threads that an implementation may start.
    memory
        Host memory in bytes.
    gpus
        Names of the GPUs that can be seen, in the order of their numbers.
    gpu_memory
        Free memory in bytes of the smallest of them; 0 without a GPU.
    """

    cores: int = 1
    memory: int = 0
    gpus: tuple[str, ...] = ()
    gpu_memory: int = 0

    @classmethod
    def detect(cls) -> "Resources":
        """Look at the machine; makes no CUDA context, so a process may fork afterwards."""
        gpus, gpu_memory = _detect_gpus()
        return cls(_usable_cores(), psutil.virtual_memory().total, gpus, gpu_memory)


def _usable_cores() -> int:
    """Count the cores that this process is allowed on, which a container may have cut down."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _detect_gpus() -> tuple[tuple[str, ...], int]:
    """Ask the NVIDIA driver rather than CUDA: it answers without cupy and holds no memory."""
    pynvml: Any = importlib.import_module("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver on this machine: the usual case, not a fault
        return (), 0
    try:
        handles = [_handle(pynvml, gpu) for gpu in _visible_gpus(pynvml.nvmlDeviceGetCount())]
        names = tuple(str(pynvml.nvmlDeviceGetName(handle)) for handle in handles)
        free = [int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) for handle in handles]
    finally:
        pynvml.nvmlShutdown()
    return names, min(free, default=0)


def _visible_gpus(count: int) -> list[str]:
    """List numbers or UUIDs of the GPUs that CUDA will show this process, in its order."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(number) for number in range(count)]
    return [gpu.strip() for gpu in visible.split(",") if gpu.strip() not in ("", "-1")]


def _handle(pynvml: Any, gpu: str) -> Any:
    if gpu.isdigit():
        return pynvml.nvmlDeviceGetHandleByIndex(int(gpu))
    return pynvml.nvmlDeviceGetHandleByUUID(gpu)
