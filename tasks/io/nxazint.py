"""
Integrated patterns as NXazint1d, the NeXus definition for azimuthal integration.

Definition: https://manual.nexusformat.org/classes/applications/NXazint1d.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tasks.io.nexus_groups import group, put, write_process
from tasks.io.pdf.describe import HC
from tasks.io.powder import F, Unit

AXES: dict[Unit, tuple[str, str]] = {
    "q_1/angstrom": ("q", "1/angstrom"),
    "q_1/nm": ("q", "1/nm"),
    "tth_deg": ("2theta", "degree"),
    "tth_rad": ("2theta", "radian"),
}
ARBITRARY = "arbitrary units"
REFERENCE = (
    "Kieffer, J. & Karkoulis, D. (2013). J. Phys. Conf. Ser. 425, 202012, "
    "doi:10.1088/1742-6596/425/20/202012"
)


@dataclass(frozen=True)
class Integration:
    """
    Patterns of one or many images on one axis.

    Attributes
    ----------
    axis
        Centres of the bins, (bins,), in `unit`.
    intensity, sigma
        (frames, bins); NaN where a bin has no pixel.
    edges
        Of the bins, (bins + 1,).
    norm
        Effective number of pixels in each bin, (bins,).
    wavelength
        In Angstrom.
    monitor
        Incident beam per frame, (frames,).
    solid_angle_applied, polarization_applied, normalization_applied, monitor_applied
        Which corrections are in the intensities.
    parameters
        Of the integration.
    reference
        Where the method is described.
    """

    axis: F
    intensity: F
    sigma: F | None
    unit: Unit
    wavelength: float
    edges: F | None = None
    norm: F | None = None
    monitor: F | None = None
    solid_angle_applied: bool = True
    polarization_applied: bool = True
    normalization_applied: bool = True
    monitor_applied: bool = False
    instrument: str = ""
    source: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reference: str = REFERENCE
    note: str = ""
    title: str = ""
    sample: str = ""


def write_nxazint1d(path: Path, integration: Integration) -> None:
    """
    Write the patterns.

    Parameters
    ----------
    path
        The file to write; it must not be there.
    integration
        What to write.

    Raises
    ------
    ValueError
        Arrays do not fit together.
    """
    bins = integration.intensity.shape[1]
    if integration.axis.shape != (bins,):
        raise ValueError(f"{bins} bins of intensity have an axis of {integration.axis.shape}")
    with h5py.File(path, "x") as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = "entry"
        entry = group(file, "entry", "NXentry")
        entry.attrs["default"] = "data"
        entry["definition"] = "NXazint1d"
        for name in ("title", "sample"):
            _text(entry, name, getattr(integration, name))
        for name in ("solid_angle", "polarization", "normalization", "monitor"):
            entry[f"{name}_applied"] = bool(getattr(integration, f"{name}_applied"))
        _instrument(entry, integration)
        process = write_process(entry, "reduction", integration.parameters, inside="input")
        process["reference"] = integration.reference
        if integration.note:
            process["note"] = integration.note
        if integration.monitor is not None:
            put(group(entry, "monitor", "NXmonitor"), "data", integration.monitor)
        _data(entry, integration)


def _text(entry: h5py.Group, name: str, value: str) -> None:
    if value and name == "sample":
        group(entry, "sample", "NXsample")["name"] = value
    elif value:
        entry[name] = value


def _instrument(entry: h5py.Group, integration: Integration) -> None:
    instrument = group(entry, "instrument", "NXinstrument")
    instrument["name"] = integration.instrument or "unknown"
    monochromator = group(instrument, "monochromator", "NXmonochromator")
    put(monochromator, "wavelength", integration.wavelength, units="angstrom")
    put(monochromator, "energy", HC / integration.wavelength, units="keV")
    source = group(instrument, "source", "NXsource")
    source["name"] = integration.source or "unknown"
    source["type"] = "Synchrotron X-ray Source"
    source["probe"] = "x-ray"


def _data(entry: h5py.Group, integration: Integration) -> None:
    data = group(entry, "data", "NXdata")
    data.attrs["signal"] = "I"
    data.attrs["axes"] = [".", "radial_axis"]
    data.attrs["interpretation"] = "spectrum"
    name, unit = AXES[integration.unit]
    put(data, "I", integration.intensity, long_name="intensity", units=ARBITRARY)
    put(data, "radial_axis", np.asarray(integration.axis), long_name=name, units=unit)
    if integration.sigma is not None:
        words = "estimated intensity error"
        put(data, "I_errors", integration.sigma, long_name=words, units=ARBITRARY)
    if integration.edges is not None:
        words = f"{name} bin edges"
        put(data, "radial_axis_edges", integration.edges, long_name=words, units=unit)
    if integration.norm is not None:
        words = "effective number of pixels contributing to the corresponding bin"
        put(data, "norm", integration.norm, long_name=words, units=ARBITRARY)
