"""The table of data collection and merging that every structure is published with."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from tasks.mx.merging_statistics import Shell, Statistics
from tasks.mx.resolution_cut import Cut
from tasks.mx.scale import Scaled


@dataclass(frozen=True)
class TableOne:
    """
    Table 1.

    Attributes
    ----------
    facts
        Name and value of what is no matter of resolution.
    statistics
        Overall and by shell; the last shell is the outer one.
    """

    facts: tuple[tuple[str, str], ...]
    statistics: Statistics

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return name, overall value, inner and outer shell's value of each line."""
        parts = (self.statistics.overall, self.statistics.shells[0], self.statistics.shells[-1])
        columns = [_lines(part) for part in parts]
        return [(name, columns[0][name], columns[1][name], columns[2][name]) for name in columns[0]]

    def text(self) -> str:
        """Write it in columns of fixed width."""
        wide = max(len(name) for name, _ in (*self.facts, *_lines(self.statistics.overall).items()))
        head = [f"{name:<{wide}}  {value}" for name, value in self.facts]
        titles = f"{'':<{wide}}  {'overall':>16}{'inner shell':>16}{'outer shell':>16}"
        body = [
            f"{name:<{wide}}  " + "".join(f"{value:>16}" for value in values)
            for name, *values in self.rows()
        ]
        return "\n".join([*head, "", titles, *body]) + "\n"

    def markdown(self) -> str:
        """Write it as two tables of markdown."""
        head = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in self.facts)]
        titles = ["| | overall | inner shell | outer shell |", "|---|---|---|---|"]
        body = ["| " + " | ".join(row) + " |" for row in self.rows()]
        return "\n".join([*head, "", *titles, *body]) + "\n"

    def numbers(self) -> dict[str, object]:
        """Return all as plain values, for JSON; None where there is no number."""
        return {
            "facts": dict(self.facts),
            "overall": _plain(self.statistics.overall),
            "shells": [_plain(each) for each in self.statistics.shells],
        }


def table_one(
    scaled: Scaled,
    statistics: Statistics,
    *,
    wavelength: float | None = None,
    cut: Cut | None = None,
) -> TableOne:
    """
    Set up table 1.

    Parameters
    ----------
    scaled
        What was merged.
    statistics
        Of it, to the resolution chosen.
    wavelength
        In Angstrom.
    cut
        How the resolution was chosen.
    """
    a, b, c, alpha, beta, gamma = scaled.cell
    facts = [("Space group", scaled.space_group)]
    facts.append(("a, b, c (Å)", f"{a:.2f}, {b:.2f}, {c:.2f}"))
    facts.append(("alpha, beta, gamma (°)", f"{alpha:.2f}, {beta:.2f}, {gamma:.2f}"))
    if wavelength is not None:
        facts.append(("Wavelength (Å)", f"{wavelength:.5f}"))
    if cut is not None:
        facts.append(("Resolution limit", cut.rule))
    facts.append(("Outliers left out", f"{100 * scaled.rejected:.2f} %"))
    facts.append(("ISa (asymptotic I/sigma)", f"{scaled.errors.isa:.1f}"))
    return TableOne(tuple(facts), statistics)


def _lines(part: Shell) -> dict[str, str]:
    star = "*" if part.significant else ""
    return {
        "Resolution (Å)": f"{part.d_max:.2f}-{part.d_min:.2f}",
        "Observations": f"{part.observations}",
        "Unique reflections": f"{part.unique}",
        "Multiplicity": _number(part.multiplicity, ".1f"),
        "Completeness (%)": _number(100 * part.completeness, ".1f"),
        "Mean I/sigma(I)": _number(part.i_over_sigma, ".1f"),
        "Rmerge": _number(part.r_merge, ".3f"),
        "Rmeas": _number(part.r_meas, ".3f"),
        "Rpim": _number(part.r_pim, ".3f"),
        "CC1/2": _number(part.cc_half, ".3f") + star,
        "CC*": _number(part.cc_star, ".3f"),
        "Anomalous completeness (%)": _number(100 * part.anomalous_completeness, ".1f"),
        "Anomalous multiplicity": _number(part.anomalous_multiplicity, ".1f"),
        "CCanom": _number(part.cc_anom, ".3f")
        + ("*" if part.cc_anom > part.cc_anom_critical else ""),
        "Anomalous slope": _number(part.anomalous_slope, ".2f"),
    }


def _number(value: float, form: str) -> str:
    return f"{value:{form}}" if np.isfinite(value) else "-"


def _plain(part: Shell) -> dict[str, float | int | None]:
    return {
        name: value if isinstance(value, int) or np.isfinite(value) else None
        for name, value in asdict(part).items()
    }
