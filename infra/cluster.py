"""The Dask cluster: one worker per GPU where there are GPUs, else one per core; mutual TLS."""

import logging
import os
import signal
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import dask.config

from infra.certificates import ensure_certificates
from infra.cluster_file import TLS_FILES, write_cluster_file
from infra.logs import log_to_stdout
from infra.pulse import BEAT_SECONDS, beat
from infra.settings import Cluster, load_settings
from infra.state import State
from tasks.resources import Resources

LOG = logging.getLogger(__name__)
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

# Dask's own clocks, slower: an idle cluster should not take a tenth of a core.
IDLE_QUIETLY = {
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "500ms",
    "distributed.scheduler.work-stealing-interval": "500ms",
}


def start(settings: Cluster, state: State, host: str, port: int) -> AbstractContextManager[Any]:
    """Start the scheduler and the workers.

    Returns
    -------
    context manager
        The cluster; it is closed on exit.
    """
    ensure_certificates(state.tls, host)
    dask.config.set(
        {
            "distributed.worker.preload": ["infra.dask_preload"],
            "distributed.nanny.environ": ONE_THREAD,
            "distributed.scheduler.allowed-failures": 3,
            "distributed.admin.log-format": "%(message)s",
            # A worker that hangs is started again; its chunks go to another one.
            "distributed.scheduler.worker-ttl": "60s",
            **IDLE_QUIETLY,
            "temporary-directory": str(state.folder / "dask"),
        }
    )
    options: dict[str, Any] = {
        "host": host,
        "scheduler_port": port,
        "protocol": "tls://",
        "security": _security(state.tls),
        "n_workers": settings.workers,
        "threads_per_worker": settings.threads,
        "memory_limit": settings.memory_limit,
        "dashboard_address": _dashboard(settings, state, host),
        "worker_dashboard_address": None,
        "silence_logs": logging.WARNING,
    }
    if _use_gpus(settings):
        from dask_cuda import LocalCUDACluster  # pyright: ignore[reportMissingImports]

        return LocalCUDACluster(**_given(options))
    from distributed import LocalCluster

    options["n_workers"] = settings.workers or max(1, (os.cpu_count() or 1) // settings.threads)
    return LocalCluster(processes=True, **options)


def _beat_on(state: State) -> None:
    """Show life from the scheduler's own loop."""
    from tornado.ioloop import PeriodicCallback

    PeriodicCallback(lambda: beat(state, "cluster"), BEAT_SECONDS * 1000).start()


def _security(tls: Path) -> Any:
    from distributed.security import Security

    certificate = {
        f"tls_{role}_{part}": str(tls / TLS_FILES[part])
        for role in ("scheduler", "worker", "client")
        for part in ("cert", "key")
    }
    return Security(require_encryption=True, tls_ca_file=str(tls / TLS_FILES["ca"]), **certificate)


def _dashboard(settings: Cluster, state: State, host: str) -> str | None:
    return f"{host}:{state.port('dask_dashboard')}" if settings.dashboard else None


def _use_gpus(settings: Cluster) -> bool:
    return settings.kind == "gpu" or (settings.kind == "auto" and bool(Resources.detect().gpus))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not set, so that dask-cuda decides it (one worker per GPU)."""
    return {name: value for name, value in options.items() if value is not None}


def run() -> None:
    """Run the cluster until told to stop."""
    log_to_stdout()
    settings = load_settings()
    state = State(settings.state)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    port = state.port("dask", settings.services.ports)
    with start(settings.cluster, state, settings.services.host, port) as cluster:
        write_cluster_file(state.cluster_file, cluster.scheduler_address, state.tls)
        LOG.info("%s", cluster)
        cluster.loop.add_callback(_beat_on, state)
        stopped.wait()
