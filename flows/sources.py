"""From a claim's inputs to the references that algorithms read."""

from collections.abc import Sequence
from pathlib import Path

from catalog.runs import Claim, InputFile
from tasks.errors import DataError
from tasks.io.scan import ScanReference


def data_of(claim: Claim) -> ScanReference:
    """Return where the data of a run stand.

    Raises
    ------
    DataError
        The catalogue names no data file for this dataset.
    """
    data = references(claim, "data", "series")
    if not data:
        raise DataError(f"{claim.dataset_name} has no data file in the catalogue: ingest it again.")
    return data[0]


def references(claim: Claim, *roles: str) -> tuple[ScanReference, ...]:
    """Return the inputs of a run that have one of these roles, in their order."""
    return tuple(_reference(file) for file in claim.inputs if file.role in roles)


def path_in(folders: Sequence[Path], given: str) -> Path | None:
    """Return the path of a file or folder that a recipe names, if it may be read.

    Parameters
    ----------
    folders : sequence of Path
        Of the beamline: nothing else is read.
    given : str
        A path; a relative one starts at any of the folders.
    """
    for folder in folders:
        try:
            path = (folder / given).resolve()
            found = path.is_relative_to(folder.resolve()) and path.exists()
        except (OSError, ValueError):  # too long for a name, or no characters of one
            return None
        if found:
            return path
    return None


def _reference(file: InputFile) -> ScanReference:
    return ScanReference(str(file.path), file.inner_path, file.format)
