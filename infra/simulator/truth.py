"""What is true about a simulated scan, kept away from where anything could read it by accident."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from infra.simulator.phantom import Array, Ellipsoid, Geometry, attenuation
from infra.simulator.plan import ScanPlan


@dataclass(frozen=True)
class Truth:
    """Geometry, object and losses of a scan."""

    name: str
    uid: str | None
    geometry: Geometry
    parts: Sequence[Ellipsoid]
    lost: Sequence[int]

    @property
    def axis(self) -> float:
        """Column of the rotation axis at the middle row."""
        return self.geometry.axis

    def image(self, row: float, oversampling: int = 4) -> Array:
        """Attenuation of a slice, averaged over pixels.

        Parameters
        ----------
        row
            The detector row; with a tilted axis it is the height on the axis.
        oversampling
            Points per pixel along x and along y.

        Returns
        -------
        1/cm, (y, x), as wide as the detector; the axis is the centre of pixel columns // 2.
        """
        grid = np.arange(self.geometry.columns) - self.geometry.columns // 2
        z = row - (self.geometry.rows - 1) / 2
        total = np.zeros((grid.size, grid.size))
        offsets = (np.arange(oversampling) + 0.5) / oversampling - 0.5
        for dx in offsets:
            for dy in offsets:
                total += attenuation(list(self.parts), grid + dx, grid[:, None] + dy, z)
        return total / oversampling**2


def of(plan: ScanPlan) -> Truth:
    """Return the truth of a plan."""
    return Truth(plan.name, plan.uid, plan.geometry, plan.parts, plan.lost)


def write(folder: Path, plan: ScanPlan) -> Path:
    """Store the truth as NAME.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plan.name}.json"
    path.write_text(json.dumps(asdict(of(plan)), indent=1))
    return path


def read(path: Path) -> Truth:
    """Read the truth that `write` stored."""
    stored: dict[str, Any] = json.loads(path.read_text())
    parts = [
        Ellipsoid(p["attenuation"], tuple(p["centre"]), tuple(p["semi_axes"]), p["turn"])
        for p in stored["parts"]
    ]
    geometry = Geometry(**stored["geometry"])
    return Truth(stored["name"], stored["uid"], geometry, parts, tuple(stored["lost"]))
