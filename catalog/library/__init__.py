"""Spectral libraries: spectra of known compounds, several collections side by side."""

from catalog.library.adding import Added, add, id_of, retire
from catalog.library.libraries import create, demand_write, find
from catalog.library.listing import list_libraries, list_spectra, spectrum
from catalog.library.new import NewSpectrum, new_spectrum, numbers_digest
from catalog.library.standards import LibrarySpectrum, digest, spectra
from catalog.library.views import (
    LibraryView,
    SpectrumDetail,
    SpectrumFilter,
    SpectrumSummary,
)

__all__ = [
    "Added",
    "LibrarySpectrum",
    "LibraryView",
    "NewSpectrum",
    "SpectrumDetail",
    "SpectrumFilter",
    "SpectrumSummary",
    "add",
    "create",
    "demand_write",
    "digest",
    "find",
    "id_of",
    "list_libraries",
    "list_spectra",
    "new_spectrum",
    "numbers_digest",
    "retire",
    "spectra",
    "spectrum",
]
