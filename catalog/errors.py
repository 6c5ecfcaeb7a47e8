"""What the catalogue refuses, each with a sentence for the user."""


class CatalogError(Exception):
    """The catalogue cannot do what was asked; ``str(error)`` says why and what to do."""


class NotFound(CatalogError):  # noqa: N818 - it names an answer, not a fault
    """There is no such row."""


class InvalidParameters(CatalogError):  # noqa: N818
    """A recipe does not fit its flow; the sentence names the key and the allowed values."""


class IllegalMove(CatalogError):  # noqa: N818
    """A state cannot change in this way."""


class Fenced(CatalogError):  # noqa: N818
    """A newer attempt holds the run, or it was cancelled: stop, and enter nothing."""


class DatabaseTooNew(CatalogError):  # noqa: N818
    """The database was migrated by a later version of Dayseye."""


class Forbidden(CatalogError):  # noqa: N818
    """Who asks may see this and not do it; the sentence says who may."""
