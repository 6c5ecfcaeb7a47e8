"""The worker's process. It imports nothing at its top: every run imports this module again."""


def main() -> None:
    """Publish the deployments from a fork, which has the flows loaded, then work until stopped."""
    import asyncio
    import os
    import signal
    import threading

    from infra import deployments
    from infra.logs import log_to_stdout
    from infra.nudges import CRASHED, SENT, Nudges
    from infra.prefect_server import wait_for_prefect
    from infra.settings import load_settings
    from infra.state import State
    from infra.worker import WarmWorker

    log_to_stdout()
    settings = load_settings()
    dsn = os.environ["DAYSEYE_CATALOG_DSN"]
    worker = WarmWorker(
        work_pool_name=deployments.POOL,
        work_queues=list(deployments.QUEUES),
        name=f"warm-{os.uname().nodename}",
        limit=settings.runs.limit,
        heartbeat_interval_seconds=10,
        create_pool_if_not_found=False,
        on_ready=State(settings.state).worker_ready.touch,
        on_lost=lambda: Nudges(dsn).send(CRASHED),
    )
    wait_for_prefect(os.environ["PREFECT_API_URL"])
    worker.in_child(deployments.publish, WarmWorker.get_default_base_job_template())
    # Stopping is dying: what runs dies too, and is found and done again like after a crash.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))

    async def work() -> None:
        loop = asyncio.get_running_loop()
        listener = threading.Thread(
            target=Nudges(dsn, SENT).follow,
            args=(lambda: loop.call_soon_threadsafe(worker.nudge), loop.is_closed),
            name="nudges",
            daemon=True,
        )
        listener.start()
        await worker.start(printer=lambda *_: None)

    asyncio.run(work())


if __name__ == "__main__":
    main()
