"""Molecules that no one has crystallised, and the data that their crystals would give."""

import copy
from functools import cache

import gemmi
import numpy as np

from tasks.mx.structure.observed import Observed


def molecule(seed=0, residues=60, radii=(13.0, 9.0, 7.0)):
    """A chain of L residues that fills an ellipsoid, as a structure with one model."""
    rng, path = _found(seed, residues, radii)
    rng = copy.deepcopy(rng)  # as it was left after the path
    structure = gemmi.Structure()
    model = structure.add_model(gemmi.Model(1))
    chain = gemmi.Chain("A")
    for number, centre in enumerate(path, 1):
        residue = gemmi.Residue()
        residue.name, residue.seqid = "ALA", gemmi.SeqId(str(number))
        residue.het_flag, residue.entity_type = "A", gemmi.EntityType.Polymer
        first, second = _unit(rng), _unit(rng)
        third = np.cross(first, second)
        third /= np.linalg.norm(third)
        for name, element, away in (
            ("N", "N", 1.46 * first),
            ("CA", "C", np.zeros(3)),
            ("C", "C", 1.53 * second),
            ("O", "O", 2.4 * second + 0.5 * first),
            ("CB", "C", 1.53 * third),
        ):
            atom = gemmi.Atom()
            atom.name, atom.element = name, gemmi.Element(element)
            atom.pos = gemmi.Position(*(centre + away))
            atom.b_iso, atom.occ = float(20 + 10 * rng.random()), 1.0
            residue.add_atom(atom)
        chain.add_residue(residue)
    model.add_chain(chain)
    structure.setup_entities()
    return structure


def turned(structure, rotation, move):
    """The same molecule elsewhere."""
    moved = structure.clone()
    transform = gemmi.Transform(gemmi.Mat33(np.asarray(rotation).tolist()), gemmi.Vec3(*move))
    moved[0].transform_pos_and_adp(transform)
    return moved


def in_crystal(structure, cell, space_group):
    crystal = structure.clone()
    crystal.cell = gemmi.UnitCell(*cell)
    crystal.spacegroup_hm = space_group
    crystal.setup_cell_images()
    return crystal


def structure_factors(structure, hkl):
    """By direct summation over all atoms."""
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    return np.array([calculator.calculate_sf_from_model(structure[0], row) for row in hkl.tolist()])


def observed(structure, d_min, noise=0.02, seed=0, label=None):
    """Merged intensities of a crystal, named by another space group of its Laue group if wanted."""
    group = gemmi.SpaceGroup(structure.spacegroup_hm)
    hkl = gemmi.make_miller_array(structure.cell, group, d_min)
    hkl = hkl[~np.array(group.operations().systematic_absences(hkl), dtype=bool)]
    intensity = np.abs(structure_factors(structure, hkl)) ** 2
    sigma = noise * (intensity + intensity.mean())
    rng = np.random.default_rng(seed)
    return Observed(
        hkl=np.asarray(hkl, dtype=np.int32),
        intensity=intensity + sigma * rng.normal(size=len(hkl)),
        sigma=sigma,
        free=rng.random(len(hkl)) < 0.05,
        cell=structure.cell.parameters,
        space_group=label or structure.spacegroup_hm,
    )


def rotation(seed):
    """A random rotation."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, ::-1]


@cache
def _found(seed, count, radii):
    rng = np.random.default_rng(seed)
    return rng, _path(rng, count, np.array(radii))


def _path(rng, count, radii):
    """Self-avoiding steps of 3.8 A that turn back at the edge."""
    for _ in range(1000):
        places, here = np.zeros((count, 3)), 0
        for _ in range(40 * count):
            step = places[here] + 3.8 * _unit(rng)
            scaled = step / radii
            if scaled @ scaled >= 1:
                continue
            away = places[:here] - step
            if (np.einsum("ij,ij->i", away, away) > 3.7**2).all():
                here += 1
                places[here] = step
            if here == count - 1:
                return places
    raise RuntimeError("the ellipsoid is too small")


def _unit(rng):
    vector = rng.normal(size=3)
    return vector / np.sqrt(vector @ vector)
