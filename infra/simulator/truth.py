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
    geometry: Geometry
    parts: Sequence[Ellipsoid]
    lost: Sequence[int]

    @property
    def axis(self) -> float:
        """Column of the rotation axis at the middle row."""
        return self.geometry.axis

    def slice_image(self, x: Array, y: Array, row: float, oversampling: int = 4) -> Array:
        """Attenuation in 1/cm, averaged over pixels.

        Parameters
        ----------
        x, y
            Pixel centres in pixels from the rotation axis, broadcast against each other.
        row
            The detector row; with a tilted axis it is the height on the axis.
        oversampling
            Points per pixel along x and along y.
        """
        z = row - (self.geometry.rows - 1) / 2
        offsets = (np.arange(oversampling) + 0.5) / oversampling - 0.5
        total = sum(
            attenuation(list(self.parts), x + dx, y + dy, z) for dx in offsets for dy in offsets
        )
        return np.asarray(total) / oversampling**2


def of(plan: ScanPlan) -> Truth:
    """Return the truth of a plan."""
    return Truth(plan.name, plan.geometry, plan.parts, plan.lost)


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
    return Truth(stored["name"], Geometry(**stored["geometry"]), parts, tuple(stored["lost"]))
