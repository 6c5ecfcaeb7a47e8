"""What a task raises when the data, rather than the program, are at fault."""


class DataError(Exception):
    """
    The data cannot be trusted, so they must not be reduced as they are.

    ``str(error)`` is the sentence that a user reads: what is wrong, where, and what to do about it.
    A dataset that meets this error ends in quarantine with that sentence.
    """


class StillBeingWritten(DataError):  # noqa: N818 - it names a state, not a fault
    """A writer holds the file or has not finished it: look again later."""
