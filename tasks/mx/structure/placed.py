"""A placed model as a structure in the crystal, and data that fit to it, as files."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np

from tasks.mx.structure.observed import Observed, fractional_matrix
from tasks.mx.structure.placement import Placement
from tasks.mx.structure.transform import Transform

_NAMES = string.ascii_uppercase + string.digits + string.ascii_lowercase


def placed_structure(
    structure: Any, transform: Transform, placement: Placement, observed: Observed
) -> Any:
    """
    Build the asymmetric unit of a crystal.

    Parameters
    ----------
    structure
        ``gemmi.Structure`` as it was before it was placed; one model.
    transform
        Made from it.
    placement
        Space group and molecules.
    observed
        For the cell.

    Returns
    -------
    gemmi.Structure
        Each molecule in the first cell, its chains named anew where there are several molecules.
    """
    import gemmi

    built = structure.clone()
    built.cell = gemmi.UnitCell(*observed.cell)
    built.spacegroup_hm = placement.space_group
    built.ncs.clear()
    template = built[0].clone()
    while len(built[0]):
        del built[0][-1]
    to_fractional = fractional_matrix(observed.cell)
    for molecule in placement.molecules:
        cells = np.linalg.inv(to_fractional) @ np.floor(to_fractional @ molecule.place)
        shift = molecule.place - cells - molecule.rotation @ transform.centroid
        copy = template.clone()
        copy.transform_pos_and_adp(
            gemmi.Transform(gemmi.Mat33(molecule.rotation.tolist()), gemmi.Vec3(*shift))
        )
        for chain in copy:
            if len(placement.molecules) > 1:
                chain.name = _NAMES[len(built[0]) % len(_NAMES)]
            built[0].add_chain(chain)
    built.setup_entities()
    built.setup_cell_images()
    return built


def write_data(path: Path, observed: Observed, space_group: str) -> None:
    """
    Write intensities and free flags (0 is free) in a space group.

    Parameters
    ----------
    path
        MTZ.
    observed
        Data, indexed as the space group wants; they have free flags.
    space_group
        Hermann-Mauguin symbol.
    """
    import gemmi

    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.SpaceGroup(space_group)
    mtz.set_cell_for_all(gemmi.UnitCell(*observed.cell))
    mtz.add_dataset("merged")
    for label, kind in (("IMEAN", "J"), ("SIGIMEAN", "Q"), ("FreeR_flag", "I")):
        mtz.add_column(label, kind)
    free = observed.free if observed.free is not None else np.zeros(len(observed.hkl), dtype=bool)
    columns = [observed.hkl, observed.intensity[:, None], observed.sigma[:, None], ~free[:, None]]
    mtz.set_data(np.hstack(columns).astype(np.float32))
    mtz.ensure_asu()
    mtz.sort()
    mtz.write_to_file(str(path))
