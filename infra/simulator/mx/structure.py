"""Structure factors: of a PDB entry, or of atoms drawn at random."""

from dataclasses import dataclass, replace
from functools import lru_cache

import gemmi
import numpy as np
from numpy.typing import NDArray

from infra.simulator.mx.plan import Crystal

Array = NDArray[np.float64]
Indices = NDArray[np.int32]
PROTEIN = (("C", 0.62), ("N", 0.17), ("O", 0.20), ("S", 0.01))  # of the atoms but H
ATOM_VOLUME = 20.0  # Å3 of protein per atom but H
LOW_RESOLUTION = 5.0  # Å: from here to 12 Å the mean intensity is one that counts refer to


@dataclass(frozen=True)
class Model:
    """A structure, ready to be computed: its atoms, cell and symmetry."""

    structure: gemmi.Structure
    cell: gemmi.UnitCell
    group: gemmi.SpaceGroup


@lru_cache(maxsize=4)
def model_of(crystal: Crystal) -> Model:
    """Read the crystal's structure or draw it."""
    if crystal.structure is not None:
        structure = gemmi.read_structure(str(crystal.structure))
        structure.remove_hydrogens()
    else:
        structure = _drawn(crystal)
    group = structure.find_spacegroup()
    if group is None:
        raise ValueError(f"{structure.spacegroup_hm} is no space group")
    return Model(structure, structure.cell, group)


def space_group(symbol: str) -> gemmi.SpaceGroup:
    """Return a space group; rhombohedral ones in hexagonal axes."""
    group = gemmi.find_spacegroup_by_name(symbol, prefer="H")
    if group is None:
        raise ValueError(f"{symbol} is no space group")
    return group


def _drawn(crystal: Crystal) -> gemmi.Structure:
    group = space_group(crystal.space_group)
    cell = gemmi.UnitCell(*crystal.cell)
    operators = len(group.operations())
    number = max(4, round(cell.volume / ATOM_VOLUME / 2 / operators))
    random = np.random.default_rng([11, crystal.structure_seed])
    elements = list(random.choice([e for e, _ in PROTEIN], number, p=[p for _, p in PROTEIN]))
    places = random.random((number, 3))
    b = np.abs(crystal.b * (1 + 0.3 * random.standard_normal(number)))
    translation, share = crystal.pseudo_translation
    if share > 0:
        half = number // 2
        copied = random.random(half) < share
        places[half : 2 * half][copied] = places[:half][copied] + translation
    heavy, count = crystal.anomalous
    elements += [heavy] * count
    places = np.vstack([places, random.random((count, 3))])
    b = np.concatenate([b, np.full(count, crystal.b)])
    return _structure(cell, group, elements, places, b)


def _structure(
    cell: gemmi.UnitCell, group: gemmi.SpaceGroup, elements: list[str], places: Array, b: Array
) -> gemmi.Structure:
    chain, residue = gemmi.Chain("A"), gemmi.Residue()
    residue.name, residue.seqid = "UNK", gemmi.SeqId("1")
    for element, place, b_iso in zip(elements, places, b, strict=True):
        atom = gemmi.Atom()
        atom.name, atom.element = element, gemmi.Element(element)
        atom.pos = cell.orthogonalize(gemmi.Fractional(*place))
        atom.b_iso, atom.occ = float(b_iso), 1.0
        residue.add_atom(atom)
    chain.add_residue(residue)
    model = gemmi.Model(1)
    model.add_chain(chain)
    structure = gemmi.Structure()
    structure.add_model(model)
    structure.cell, structure.spacegroup_hm = cell, group.xhm()
    structure.setup_cell_images()
    return structure


def all_indices(crystal: Crystal) -> Indices:
    """Return every index up to d_min that the lattice's centring allows, both of each pair."""
    model = model_of(crystal)
    to_reciprocal = np.array(model.cell.frac.mat.tolist())
    largest = np.ceil(np.array(model.cell.parameters[:3]) / crystal.d_min).astype(int)
    axes = [np.arange(-top, top + 1) for top in largest]
    hkl = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.int32)
    length = np.linalg.norm(hkl @ to_reciprocal, axis=1)
    hkl = hkl[(length > 0) & (length <= 1 / crystal.d_min)]
    return hkl[~_uncentred(model.group, hkl)]


def _uncentred(group: gemmi.SpaceGroup, hkl: Indices) -> NDArray[np.bool_]:
    left_out = np.zeros(len(hkl), bool)
    for vector in group.operations().cen_ops:
        phase = hkl @ np.array(vector) / gemmi.Op.DEN
        left_out |= np.abs(phase - np.round(phase)) > 1e-6
    return left_out


def intensities(crystal: Crystal, hkl: Indices, wavelength: float) -> tuple[Array, Array]:
    """
    Return |F|2 of indices at the sweep's begin and at its end, (n,), on the scale of counts.

    The end is that of a crystal whose anomalous scatterers are lost.
    """
    known, number = np.unique(_with_twin(crystal, hkl), axis=0, return_inverse=True)
    fresh = np.abs(_factors(crystal, known, wavelength, 1.0)) ** 2
    spent = np.abs(_factors(crystal, known, wavelength, 0.0)) ** 2
    scale = crystal.counts / _low_resolution_mean(crystal, known, fresh)
    rows = number.reshape(-1, len(hkl))
    twin = crystal.twin_fraction if len(rows) > 1 else 0.0
    both = [scale * squared[rows] for squared in (fresh, spent)]
    begin, end = ((1 - twin) * each[0] + twin * each[-1] for each in both)
    return begin, end


def _with_twin(crystal: Crystal, hkl: Indices) -> Indices:
    if crystal.twin_fraction <= 0:
        return hkl
    return np.vstack([hkl, hkl @ np.array(crystal.twin_law, dtype=np.int32).T])


def _low_resolution_mean(crystal: Crystal, hkl: Indices, squared: Array) -> float:
    d = resolution(crystal, hkl)
    low = (d > min(LOW_RESOLUTION, d.max() / 2)) & (squared > 0)
    return float(squared[low].mean())


def resolution(crystal: Crystal, hkl: Indices) -> Array:
    """Return d of indices in Å, (n,)."""
    to_reciprocal = np.array(model_of(crystal).cell.frac.mat.tolist())
    return 1 / np.linalg.norm(hkl @ to_reciprocal, axis=1)


def _factors(
    crystal: Crystal, hkl: Indices, wavelength: float, left: float
) -> NDArray[np.complex128]:
    """Return F of indices, the anomalous scatterers with a share of their occupancy."""
    model = model_of(crystal)
    structure = model.structure.clone()
    sites = [a.atom for a in structure[0].all() if a.atom.element.name == crystal.anomalous[0]]
    for atom in sites:
        atom.occ *= left
    density = gemmi.DensityCalculatorX()
    density.d_min, density.grid.spacegroup = 0.9 * crystal.d_min, model.group
    density.grid.unit_cell = model.cell
    density.set_refmac_compatible_blur(structure[0])
    density.put_model_density_on_grid(structure[0])
    grid = gemmi.transform_map_to_f_phi(density.grid)
    factors = np.asarray(grid.get_value_by_hkl(hkl, unblur=density.blur), dtype=np.complex128)
    factors += _anomalous(crystal, sites, hkl, wavelength)
    factors[_absent(model.group, hkl)] = 0.0
    return factors


def _anomalous(
    crystal: Crystal, sites: list[gemmi.Atom], hkl: Indices, wavelength: float
) -> NDArray[np.complex128]:
    """Return what f' and f'' of the anomalous scatterers add, summed atom by atom."""
    total = np.zeros(len(hkl), complex)
    if not sites:
        return total
    model = model_of(crystal)
    energy = gemmi.hc / wavelength
    f_prime, f_second = gemmi.cromer_liberman(sites[0].element.atomic_number, energy)
    quarter = 1 / (4 * resolution(crystal, hkl) ** 2)
    for atom in sites:
        place = model.cell.fractionalize(atom.pos).tolist()
        damped = atom.occ * np.exp(-atom.b_iso * quarter)
        for operator in model.group.operations():
            phase = hkl @ np.array(operator.apply_to_xyz(place))
            total += (f_prime + 1j * f_second) * damped * np.exp(2j * np.pi * phase)
    return total


def _absent(group: gemmi.SpaceGroup, hkl: Indices) -> NDArray[np.bool_]:
    """Tell which indices the symmetry forbids, (n,)."""
    absent = np.zeros(len(hkl), bool)
    for operator in group.operations():
        turned = hkl @ np.array(operator.rot) // gemmi.Op.DEN
        phase = hkl @ np.array(operator.tran) / gemmi.Op.DEN
        same = np.all(turned == hkl, axis=1)
        absent |= same & (np.abs(phase - np.round(phase)) > 1e-6)
    return absent


def without_crystal(crystal: Crystal) -> Crystal:
    """Return a crystal that scatters nothing."""
    return replace(crystal, counts=0.0)
