"""What each Dask worker does first: bind its life to the cluster's process."""

from infra.processes import die_with_parent


def dask_setup(worker: object) -> None:
    """Die with the cluster's process, also when that is killed with -9."""
    die_with_parent()
