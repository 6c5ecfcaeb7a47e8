"""The worker's process. It imports nothing at its top: every run imports this module again."""


def main() -> None:
    """Start the fork server first: it loads the flows while this process loads the worker."""
    from infra.fork_server import ForkServer

    fork_server = ForkServer()

    from infra.worker_service import serve

    serve(fork_server)


if __name__ == "__main__":
    main()
