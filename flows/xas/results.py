"""The files of an XAS result: NXxas with everything in it, XDI and Athena for other programs."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.reduction import Reduction
from flows.xas.recipe import Recipe
from flows.xas.types import Alignment, Composition, Exafs, Result
from tasks.io.spectra import Facts
from tasks.io.xas.athena_writer import AthenaGroup, write_athena
from tasks.io.xas.nxxas_writer import Blocks, Group, Named, NXxasEntry, write_nxxas
from tasks.io.xas.xdi_writer import Column, XdiSpectrum, write_xdi

HDF5, TEXT, GZIP = "application/x-hdf5", "text/plain", "application/gzip"
_ROWS = 2000  # sweeps written at a time
_MOST_GROUPS = 100  # sweeps in an Athena project: it is read whole, by eye


def write(run: Reduction, recipe: Recipe, result: Result) -> None:
    """Write the files of a result into the run's folder."""
    stem = run.claim.output_folder.parent.name
    _write_nxxas(run.output(f"{stem}_xas.h5", "spectrum", HDF5), run, recipe, result)
    _write_xdi(run.output(f"{stem}.xdi", "spectrum", TEXT), run, result)
    _write_athena(run.output(f"{stem}.prj", "spectrum", GZIP), run, recipe, result)


def _write_nxxas(path: Path, run: Reduction, recipe: Recipe, result: Result) -> None:
    spectrum, opened = result.spectrum, result.opened
    groups = {
        "absorption": _absorption(result),
        "sweeps": _sweeps(result),
        "energy_scale": _energy_scale(result.alignment),
    }
    if result.exafs is not None:
        groups |= _exafs(recipe, result.exafs)
    if result.interpreted.composition is not None:
        groups |= _composition(result, result.interpreted.composition)
    if spectrum.matched is not None:
        groups["mback"] = Group(
            {
                "energy": Named(spectrum.energy, "eV"),
                "norm": Named(np.asarray(spectrum.matched.norm[0])),
                "table": Named(np.asarray(spectrum.matched.table)),
                "edge_step": Named(float(spectrum.matched.edge_step[0])),
            },
            signal="norm",
            axes=["energy"],
        )
    groups["reduction"] = Group(
        {
            "recipe": Named(recipe.model_dump_json()),
            "run": Named(str(run.claim.run_id)),
            "source": Named(opened.spectra.path),
        },
        nx_class="NXcollection",
    )
    entry = NXxasEntry(
        element=opened.element,
        edge=opened.edge,
        mode=opened.mode,
        energy=spectrum.energy,
        intensity=spectrum.norm,
        intensity_errors=spectrum.norm_sigma,
        title=opened.title or run.claim.dataset_name,
        sample=run.claim.sample or str(opened.metadata.get("sample", "")),
        started_at=_started(opened.metadata.get("started_at")),
        groups=groups,
    )
    write_nxxas(path, {"entry": entry})


def _absorption(result: Result) -> Group:
    spectrum = result.spectrum
    energy = Named(spectrum.energy, "eV")
    return Group(
        {
            "energy": energy,
            "mu": Named(spectrum.mu),
            "mu_errors": Named(spectrum.sigma),
            "pre_edge": Named(spectrum.pre_edge),
            "post_edge": Named(spectrum.post_edge),
            "flat": Named(spectrum.flat),
            "e0": Named(spectrum.e0, "eV"),
            "edge_step": Named(spectrum.edge_step),
            "edge_step_errors": Named(spectrum.edge_step_sigma),
        },
        signal="mu",
        axes=["energy"],
    )


def _sweeps(result: Result) -> Group:
    sweeps, spectrum, alignment = result.sweeps, result.spectrum, result.alignment
    counts = np.ones(len(sweeps.mu), np.uint8)
    counts[list(sweeps.left_out)] = 0
    return Group(
        {
            "energy": Named(spectrum.energy, "eV"),
            "norm": Named(_blocks(spectrum.norms)),
            "mu": Named(_blocks(sweeps.mu)),
            "edge_step": Named(spectrum.edge_steps),
            "noise": Named(sweeps.noise),
            "energy_shift": Named(alignment.shift + alignment.offset, "eV"),
            "energy_shift_errors": Named(alignment.sigma, "eV"),
            "counts": Named(counts, "", {"long_name": "1: counts, 0: left out"}),
            "density": Named(
                1 / sweeps.correlated**2, "", {"long_name": "points measured for one of the grid"}
            ),
        },
        signal="norm",
        axes=[".", "energy"],
    )


def _energy_scale(alignment: Alignment) -> Group:
    """Tell what was added to the energies of all sweeps, and what the foil looks like then."""
    arrays = {
        "offset": Named(alignment.offset, "eV"),
        "offset_errors": Named(alignment.offset_sigma, "eV"),
        "foil_table": Named(alignment.table),
    }
    if alignment.foil is not None and alignment.foil.spectrum is not None:
        energy, mu = alignment.foil.spectrum
        arrays |= {
            "foil": Named(alignment.foil.element),
            "foil_energy": Named(energy, "eV"),
            "foil_mu": Named(mu),
        }
    return Group(arrays, nx_class="NXcollection")


def _blocks(values: NDArray[np.float64]) -> Blocks:
    """Write what is mapped from the disk piece by piece; single precision is enough for many."""

    def pieces() -> Iterator[NDArray[Any]]:
        for begin in range(0, len(values), _ROWS):
            yield np.asarray(values[begin : begin + _ROWS])

    return Blocks(values.shape, pieces(), "f4" if len(values) > 1 else "f8")


def _exafs(recipe: Recipe, exafs: Exafs) -> dict[str, Group]:
    low, high = exafs.k_range
    return {
        "chi_k": Group(
            {"k": Named(exafs.k, "1/angstrom"), "chi": Named(exafs.chi)},
            signal="chi",
            axes=["k"],
        ),
        "chi_r": Group(
            {
                "r": Named(exafs.r, "angstrom", {"long_name": "R, not corrected for phase"}),
                "magnitude": Named(np.abs(exafs.chi_r)),
                "real": Named(exafs.chi_r.real),
                "imaginary": Named(exafs.chi_r.imag),
                "kmin": Named(low, "1/angstrom"),
                "kmax": Named(high, "1/angstrom"),
                "kweight": Named(recipe.kweight),
            },
            signal="magnitude",
            axes=["r"],
        ),
    }


def _composition(result: Result, found: Composition) -> dict[str, Group]:
    names = np.array(list(found.names), dtype="S")
    return {
        "composition": Group(
            {
                "standards": Named(names),
                "spectra": Named(np.array(list(found.ids), dtype="S")),
                "fractions": Named(found.sweep_fractions),
                "fractions_errors": Named(found.sweep_sigma),
                "r_factor": Named(found.sweep_r_factor),
                "sweep": Named(np.arange(len(result.sweeps.mu))),
                "merged_fractions": Named(found.fractions),
                "merged_fractions_errors": Named(found.sigma),
                "merged_r_factor": Named(found.r_factor),
                "library": Named(found.library),
                "library_digest": Named(found.digest),
            },
            signal="fractions",
            axes=["sweep", "."],
        ),
        "combination": Group(
            {
                "energy": Named(found.energy, "eV"),
                "data": Named(found.data),
                "fit": Named(found.fractions @ found.standards),
                "standards": Named(found.standards),
            },
            signal="data",
            axes=["energy"],
        ),
    }


def _write_xdi(path: Path, run: Reduction, result: Result) -> None:
    spectrum, opened = result.spectrum, result.opened
    columns = [
        Column("norm", spectrum.norm),
        Column("sigma", np.nan_to_num(spectrum.norm_sigma)),
        Column("flat", spectrum.flat),
        Column("mutrans" if opened.mode == "transmission" else "mufluor", spectrum.mu),
    ]
    facts = Facts(
        element=opened.element,
        edge=opened.edge,
        sample=run.claim.sample or str(opened.metadata.get("sample", "")),
        started_at=_started(opened.metadata.get("started_at")),
        e0=spectrum.e0,
    )
    comments = [f"Normalised, merged from {len(result.sweeps.kept)} sweeps; run {run.claim.run_id}"]
    write_xdi(path, XdiSpectrum(spectrum.energy, columns, facts, comments=comments))


def _write_athena(path: Path, run: Reduction, recipe: Recipe, result: Result) -> None:
    """Write the merged spectrum, and its sweeps while they are few, as Athena would keep them."""
    spectrum, sweeps = result.spectrum, result.sweeps
    name = run.claim.dataset_name
    merged = (f"{len(sweeps.kept)} sweeps merged", f"run {run.claim.run_id}")
    groups = [_athena_group(name, recipe, result, spectrum.mu, merged, spectrum.sigma)]
    if 1 < len(sweeps.kept) <= _MOST_GROUPS:
        rows = ((int(number), np.asarray(sweeps.mu[number])) for number in sweeps.kept)
        groups += [
            _athena_group(f"{name} sweep {number}", recipe, result, mu, merged[1:])
            for number, mu in rows
            if np.isfinite(mu).all()
        ]
    write_athena(path, groups)


def _athena_group(
    label: str,
    recipe: Recipe,
    result: Result,
    mu: NDArray[np.float64],
    titles: Sequence[str],
    sigma: NDArray[np.float64] | None = None,
) -> AthenaGroup:
    spectrum, windows = result.spectrum, result.spectrum.windows
    parameters: dict[str, float | str] = {
        "bkg_pre1": windows.pre1,
        "bkg_pre2": windows.pre2,
        "bkg_nor1": windows.norm1,
        "bkg_nor2": windows.norm2,
        "bkg_nnorm": windows.nnorm + 1,  # Athena counts the terms, not the degree
        "bkg_rbkg": recipe.rbkg,
        "bkg_kw": recipe.kweight,
    }
    if result.exafs is not None:
        low, high = result.exafs.k_range
        parameters |= {"fft_kmin": low, "fft_kmax": high}
    return AthenaGroup(
        label=label,
        energy=spectrum.energy,
        mu=mu,
        element=result.opened.element,
        edge=result.opened.edge,
        e0=spectrum.e0,
        sigma=sigma,
        parameters=parameters,
        titles=titles,
    )


def _started(told: object) -> datetime | None:
    return datetime.fromisoformat(told) if isinstance(told, str) else None
