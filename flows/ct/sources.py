"""From a claim's inputs to the scan and the calibrations that the CT algorithms read."""

from catalog.runs import Claim
from flows.sources import data_of, references
from tasks.ct.sinograms import ScanSources


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
    return ScanSources(
        scan=data_of(claim), flats=references(claim, "flat"), darks=references(claim, "dark")
    )
