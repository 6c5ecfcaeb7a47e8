"""Which errors are tried again, and which are a scan's own."""

import errno

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from flows.transient import is_transient
from tasks.errors import DataError, StillBeingWritten


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("select 1", {}, Exception("server closed the connection")),
        httpx.ConnectError("refused"),
        ConnectionResetError(),
        OSError(errno.ENOSPC, "No space left on device"),
        StillBeingWritten("held"),
    ],
)
def test_what_passes_by_itself_is_tried_again(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize("error", [DataError("no flats"), ValueError("n"), FileNotFoundError("x")])
def test_errors_of_data_and_programs_are_not(error: Exception) -> None:
    assert not is_transient(error)


def test_the_cause_counts_too() -> None:
    try:
        try:
            raise ConnectionError("database is away")
        except ConnectionError as cause:
            raise RuntimeError("could not record steps") from cause
    except RuntimeError as error:
        assert is_transient(error)
