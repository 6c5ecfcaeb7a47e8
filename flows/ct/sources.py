"""From a claim's inputs to the references that the CT algorithms read."""

from catalog.runs import Claim, InputFile
from tasks.ct.sinograms import ScanSources
from tasks.errors import DataError
from tasks.io.scan import ScanReference


def scan_sources(claim: Claim) -> ScanSources:
    """Sort a run's inputs into the scan and its calibrations.

    Parameters
    ----------
    claim : Claim
        The attempt; its inputs carry roles.

    Returns
    -------
    ScanSources
        References only.

    Raises
    ------
    DataError
        The catalogue names no data file for this dataset.
    """
    data = _references(claim, "data", "series")
    if not data:
        raise DataError(f"{claim.dataset_name} has no data file in the catalogue: ingest it again.")
    return ScanSources(
        scan=data[0], flats=_references(claim, "flat"), darks=_references(claim, "dark")
    )


def _references(claim: Claim, *roles: str) -> tuple[ScanReference, ...]:
    return tuple(_reference(file) for file in claim.inputs if file.role in roles)


def _reference(file: InputFile) -> ScanReference:
    return ScanReference(str(file.path), file.inner_path, file.format)
