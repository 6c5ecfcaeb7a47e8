"""The cluster's process. It imports nothing at its top: every Dask worker imports it again."""


def main() -> None:
    """Run the scheduler and the workers until told to stop."""
    from infra.cluster import run

    run()


if __name__ == "__main__":
    main()
