"""The machine that an attempt runs on, and the software there: recorded with the attempt."""

import hashlib
import importlib
import importlib.metadata
import os
import platform
import socket
import sys
from functools import cache
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
CODE = ("flows", "tasks")
LOCK = "requirements.lock"
# what computes, carries and reads; everything else is behind the digest of the environment
PACKAGES = (
    "dayseye", "numpy", "scipy", "finufft", "h5py", "hdf5plugin", "tifffile", "pillow",
    "matplotlib", "array-api-compat", "dask", "distributed", "prefect", "prefect-dask",
    "cupy-cuda12x", "cufinufft", "dask-cuda",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Describe this machine and its software, as plain values.

    Returns
    -------
    dict
        Host, system, CPU, cores, memory in bytes, GPUs with their driver, Python, versions of the
        packages that matter, and digests of the lock file, of all that is installed, and of our
        own code. With several machines it is the one that leads the run; a step names the device
        that it computed on.
    """
    return {"host": socket.gethostname(), **software(), **_hardware()}


@cache
def software() -> dict[str, Any]:
    """Describe the software; looked up once, before the fork server makes its first copy."""
    installed = sorted(
        f"{each.metadata['Name']}=={each.version}" for each in importlib.metadata.distributions()
    )
    lock = ROOT / LOCK
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": platform.platform(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "environment_digest": _digest("\n".join(installed).encode()),
        "lock_digest": _digest(lock.read_bytes()) if lock.is_file() else None,
        "code_digest": _code_digest(),
    }


def _hardware() -> dict[str, Any]:
    gpus, driver = _gpus()
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": psutil.virtual_memory().total,
        "gpus": gpus,
        "driver": driver,
    }


@cache
def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()


def _gpus() -> tuple[list[dict[str, Any]], str | None]:
    """Ask the NVIDIA driver, which answers without CUDA and holds no memory."""
    pynvml: Any = importlib.import_module("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver on this machine: the usual case, not a fault
        return [], None
    try:
        handles = [
            pynvml.nvmlDeviceGetHandleByIndex(number)
            for number in range(pynvml.nvmlDeviceGetCount())
        ]
        gpus = [
            {
                "name": str(pynvml.nvmlDeviceGetName(handle)),
                "uuid": str(pynvml.nvmlDeviceGetUUID(handle)),
                "memory": int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            }
            for handle in handles
        ]
        return gpus, str(pynvml.nvmlSystemGetDriverVersion())
    finally:
        pynvml.nvmlShutdown()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _code_digest() -> str:
    """Return a digest of our own code: two versions of one number may differ in a working tree."""
    whole = hashlib.sha256()
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            whole.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return f"sha256:{whole.hexdigest()}"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
