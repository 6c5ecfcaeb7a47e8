"""Structure factors: symmetry, scale, anomalous differences, twins, and a sum by hand."""

from dataclasses import replace

import gemmi
import numpy as np
import pytest

from infra.simulator.mx import structure
from infra.simulator.mx.cases import CRYSTALS
from infra.simulator.mx.plan import Crystal


def small(name, **changes):
    return replace(CRYSTALS[name], d_min=3.5, **changes)


def lookup(hkl, values):
    return dict(zip(map(tuple, hkl.tolist()), values, strict=True))


@pytest.mark.parametrize("name", CRYSTALS)
def test_intensities_have_the_symmetry_of_the_group(name):
    crystal = small(name, anomalous=("Se", 2))
    hkl = structure.all_indices(crystal)
    found = lookup(hkl, structure.intensities(crystal, hkl, 0.979)[0])
    some = hkl[:: len(hkl) // 300]
    for operator in structure.space_group(crystal.space_group).operations().sym_ops:
        turned = [tuple(operator.apply_to_hkl(index)) for index in some.tolist()]
        same = np.array(
            [[found[tuple(h)], found[t]] for h, t in zip(some.tolist(), turned, strict=True)]
        )
        np.testing.assert_allclose(same[:, 0], same[:, 1], atol=0.01 * crystal.counts)


@pytest.mark.parametrize("name", ["P43212", "C2", "I23", "R3"])
def test_what_symmetry_forbids_is_not_there(name):
    crystal = small(name)
    hkl = structure.all_indices(crystal)
    squared = structure.intensities(crystal, hkl, 1.0)[0]
    operations = structure.space_group(crystal.space_group).operations()
    absent = np.array([operations.is_systematically_absent(index) for index in hkl.tolist()])
    assert np.all(squared[absent] == 0)
    assert np.all(squared[~absent] > 0)
    assert absent.any() == (name == "P43212")  # centring was left out before


def test_factors_are_a_sum_over_atoms():
    crystal = Crystal("P 21 21 21", (12.0, 14.0, 17.0, 90, 90, 90), d_min=2.0)
    hkl = structure.all_indices(crystal)[:40]
    model = structure.model_of(crystal)
    by_hand = gemmi.StructureFactorCalculatorX(model.cell)
    expected = [
        abs(by_hand.calculate_sf_from_model(model.structure[0], index)) ** 2
        for index in hkl.tolist()
    ]
    found = structure.intensities(crystal, hkl, 1.0)[0]
    assert np.corrcoef(found, expected)[0, 1] > 0.9999


def test_counts_are_the_mean_at_low_resolution():
    crystal = small("P212121", counts=700.0)
    hkl = structure.all_indices(crystal)
    squared = structure.intensities(crystal, hkl, 1.0)[0]
    low = (structure.resolution(crystal, hkl) > 5) & (squared > 0)
    assert squared[low].mean() == pytest.approx(700)


@pytest.mark.parametrize("number", [0, 2])
def test_friedels_law_is_broken_by_anomalous_scatterers(number):
    crystal = small("P1", anomalous=("Se", number))
    hkl = structure.all_indices(crystal)
    found = lookup(hkl, structure.intensities(crystal, hkl, 0.979)[0])
    both = np.array([[found[h], found[tuple(-np.array(h))]] for h in found])
    difference = np.abs(both[:, 0] - both[:, 1]).mean() / both.mean()
    assert (difference > 0.01) == (number > 0)
    assert (difference < 1e-4) == (number == 0)


def test_a_perfect_twin_has_the_symmetry_of_its_law():
    law = ((0, 1, 0), (1, 0, 0), (0, 0, -1))
    crystal = small("R3", twin_fraction=0.5, twin_law=law)
    hkl = structure.all_indices(crystal)
    found = lookup(hkl, structure.intensities(crystal, hkl, 1.0)[0])
    both = np.array([[found[index], found[(index[1], index[0], -index[2])]] for index in found])
    np.testing.assert_allclose(both[:, 0], both[:, 1], rtol=1e-6, atol=1e-6)


def test_a_pseudo_translation_dims_every_other_layer():
    crystal = small("P212121", pseudo_translation=((0.0, 0.0, 0.5), 1.0))
    hkl = structure.all_indices(crystal)
    squared = structure.intensities(crystal, hkl, 1.0)[0]
    odd = hkl[:, 2] % 2 == 1
    assert squared[odd].mean() < 0.2 * squared[~odd].mean()


def test_a_structure_comes_from_a_file(tmp_path):
    crystal = small("P212121")
    model = structure.model_of(crystal)
    path = tmp_path / "model.pdb"
    model.structure.write_pdb(str(path))
    read = replace(crystal, structure=path, cell=(1, 1, 1, 90, 90, 90))
    hkl = structure.all_indices(read)
    assert structure.model_of(read).group.xhm() == "P 21 21 21"
    drawn, filed = (structure.intensities(each, hkl, 1.0)[0] for each in (crystal, read))
    assert np.corrcoef(drawn, filed)[0, 1] > 0.999


def test_a_wrong_space_group_is_told():
    with pytest.raises(ValueError, match="P 17 is no space group"):
        structure.space_group("P 17")
