"""The files of a series' result: NXxas with all scans and what was found, and a table as CSV."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.reduction import Reduction
from flows.xas.results import HDF5
from flows.xas.series.recipe import Recipe
from flows.xas.series.types import Members, Resolved, Result
from flows.xas.types import Alignment, Components, Composition, Spectrum
from tasks.io.xas.nxxas_writer import Blocks, Group, Named, NXxasEntry, write_nxxas
from tasks.xas.clusters import Clusters
from tasks.xas.normalise import normalise_sigma

CSV = "text/csv"
_ROWS = 2000  # scans written at a time


def write(run: Reduction, recipe: Recipe, result: Result) -> None:
    """Write the files of a result into the run's folder."""
    stem = run.claim.output_folder.parent.name
    _write_nxxas(run.output(f"{stem}_xas.h5", "spectra", HDF5), run, recipe, result)
    write_table(run.output(f"{stem}.csv", "table", CSV), result)


def write_table(path: Path, result: Result) -> None:
    """Write a line for each scan: when, edge, and how much of each standard with uncertainty."""
    axis, composition = result.members.axis, result.explained.interpreted.composition
    names = list(composition.names) if composition else []
    spread = [word for name in names for word in (name, f"{name} sigma")]
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["scan", "started", axis.name, "e0 (eV)", "edge step", *spread]
            + (["R factor"] if composition else [])
            + ["result"]
        )
        for row, member in enumerate(result.members.kept):
            facts = member.facts
            started = facts.started_at.isoformat() if facts.started_at else ""
            line: list[str] = [member.name, started, f"{axis.values[row]:.4f}"]
            line += [f"{facts.e0:.3f}", f"{facts.edge_step:.5g}"]
            if composition is not None:
                pairs = np.stack([composition.sweep_fractions[row], composition.sweep_sigma[row]])
                line += [f"{value:.5f}" for value in pairs.T.ravel()]
                line.append(f"{composition.sweep_r_factor[row]:.4g}")
            table.writerow([*line, member.dataset])


def _write_nxxas(path: Path, run: Reduction, recipe: Recipe, result: Result) -> None:
    opened, spectrum, explained = result.gridded.opened, result.spectrum, result.explained
    found = explained.interpreted
    groups = {
        "scans": _scans(result.members, result.gridded.alignment),
        "mean": _mean(spectrum),
    }
    if found.composition is not None:
        groups |= _composition(result, found.composition)
    if found.components is not None:
        groups["components"] = _components(found.components)
    if explained.resolved is not None:
        groups["resolved"] = _resolved(explained.resolved)
    if explained.groups is not None:
        groups["groups"] = _groups(explained.groups)
    groups["reduction"] = Group(
        {
            "recipe": Named(result.members.recipe.model_dump_json()),
            "series_recipe": Named(recipe.model_dump_json()),
            "run": Named(str(run.claim.run_id)),
        },
        nx_class="NXcollection",
    )
    starts = result.members.starts
    entry = NXxasEntry(
        element=opened.element,
        edge=opened.edge,
        mode=opened.mode,
        energy=spectrum.energy,
        intensity=_norms(spectrum),
        intensity_errors=_norm_errors(result),
        title=opened.title,
        sample=run.claim.sample or "",
        started_at=starts[0] if starts else None,
        groups=groups,
    )
    write_nxxas(path, {"entry": entry})


def _norms(spectrum: Spectrum) -> Blocks:
    def pieces() -> Iterator[NDArray[Any]]:
        for begin in range(0, len(spectrum.norms), _ROWS):
            yield np.asarray(spectrum.norms[begin : begin + _ROWS])

    return Blocks(spectrum.norms.shape, pieces(), "f4")


def _norm_errors(result: Result) -> Blocks:
    """Carry the noise of each scan on to its normalised spectrum."""
    spectrum, sigma = result.spectrum, result.gridded.sigma

    def pieces() -> Iterator[NDArray[Any]]:
        for begin in range(0, len(sigma), _ROWS):
            rows = slice(begin, begin + _ROWS)
            yield normalise_sigma(
                spectrum.energy,
                np.asarray(spectrum.norms[rows]),
                spectrum.edge_steps[rows],
                np.asarray(sigma[rows]),
                spectrum.e0,
                spectrum.windows,
            ).norm

    return Blocks(sigma.shape, pieces(), "f4")


def _scans(members: Members, alignment: Alignment) -> Group:
    axis, facts = members.axis, [each.facts for each in members.kept]
    starts = [each.started_at.isoformat() if each.started_at else "" for each in facts]
    return Group(
        {
            "position": Named(axis.values, axis.unit, {"long_name": axis.name}),
            "name": Named(_words([each.name for each in members.kept])),
            "result": Named(_words([each.dataset for each in members.kept])),
            "start_time": Named(_words(starts)),
            "e0": Named(np.array([each.e0 for each in facts]), "eV"),
            "edge_step": Named(np.array([each.edge_step for each in facts])),
            "edge_step_errors": Named(np.array([each.edge_step_sigma for each in facts])),
            "energy_shift": Named(alignment.shift + alignment.offset, "eV"),
            "energy_shift_errors": Named(alignment.sigma, "eV"),
        },
        signal="edge_step",
        axes=["position"],
    )


def _words(values: list[str]) -> NDArray[np.bytes_]:
    return np.array([value.encode() for value in values], dtype="S")


def _mean(spectrum: Spectrum) -> Group:
    """Describe the mean of all scans, whose edge and windows are those of each."""
    windows = {
        name: Named(float(getattr(spectrum.windows, name)), "eV")
        for name in ("pre1", "pre2", "norm1", "norm2")
    }
    return Group(
        {
            "energy": Named(spectrum.energy, "eV"),
            "norm": Named(spectrum.norm),
            "flat": Named(spectrum.flat),
            "e0": Named(spectrum.e0, "eV"),
            **windows,
            "nnorm": Named(spectrum.windows.nnorm),
        },
        signal="norm",
        axes=["energy"],
    )


def _composition(result: Result, found: Composition) -> dict[str, Group]:
    axis = result.members.axis
    return {
        "composition": Group(
            {
                "position": Named(axis.values, axis.unit, {"long_name": axis.name}),
                "standards": Named(_words(list(found.names))),
                "spectra": Named(_words(list(found.ids))),
                "fractions": Named(found.sweep_fractions),
                "fractions_errors": Named(found.sweep_sigma),
                "r_factor": Named(found.sweep_r_factor),
                "library": Named(found.library),
                "library_digest": Named(found.digest),
            },
            signal="fractions",
            axes=["position", "."],
        ),
        "combination": Group(
            {
                "energy": Named(found.energy, "eV"),
                "mean": Named(found.data),
                "fit": Named(found.fractions @ found.standards),
                "standards": Named(found.standards),
                "fractions": Named(found.fractions),
                "fractions_errors": Named(found.sigma),
            },
            signal="mean",
            axes=["energy"],
        ),
    }


def _components(found: Components) -> Group:
    levels = {name.replace(" ", "_"): Named(values) for name, values in found.levels.items()}
    return Group(
        {
            "energy": Named(found.energy, "eV"),
            "loadings": Named(found.loadings),
            "scores": Named(found.scores),
            "by_indicator": Named(found.by_indicator),
            "by_noise": Named(found.by_noise),
            **levels,
        },
        signal="loadings",
        axes=[".", "energy"],
    )


def _resolved(resolved: Resolved) -> Group:
    least, most = resolved.ambiguity.fractions
    return Group(
        {
            "energy": Named(resolved.energy, "eV"),
            "spectra": Named(resolved.found.spectra),
            "fractions": Named(resolved.found.fractions),
            "fractions_least": Named(least),
            "fractions_most": Named(most),
            "residual": Named(resolved.found.residual),
            "ambiguity": Named(resolved.ambiguity.reason),
        },
        signal="spectra",
        axes=[".", "energy"],
    )


def _groups(groups: Clusters) -> Group:
    return Group({"group": Named(groups.labels + 1), "centres": Named(groups.centres)})
