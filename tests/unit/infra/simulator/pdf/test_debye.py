from dataclasses import replace

import numpy as np
import pytest
import xraydb
import xraylib

from infra.simulator.pdf import cromer_mann, debye, factors, materials, truth
from infra.simulator.pdf.plan import Evolution, ScanPlan

WAVELENGTH = 0.1671
DENSITIES = {"Ni": 8.907, "Si": 2.329, "CeO2": 7.215, "LaB6": 4.711, "SiO2 glass": 2.202}


@pytest.mark.parametrize("element", cromer_mann.COEFFICIENTS)
def test_form_factors_begin_with_all_electrons_and_are_those_of_other_tables(element):
    number = xraylib.SymbolToAtomicNumber(element)
    assert cromer_mann.form_factor(element, np.zeros(1))[0] == pytest.approx(number, abs=0.02)
    q = np.linspace(0.1, 12 if element == "H" else 24, 60)
    found = cromer_mann.form_factor(element, q)
    waasmaier_kirfel = xraydb.f0(element, q / (4 * np.pi))
    np.testing.assert_allclose(found, waasmaier_kirfel, rtol=0.012, atol=5e-4)
    hubbell = [xraylib.FF_Rayl(number, each / (4 * np.pi)) for each in q]
    np.testing.assert_allclose(found, hubbell, rtol=0.035, atol=2e-3)  # not relativistic


def test_compton_goes_to_all_electrons_and_loses_energy():
    q = np.array([0.1, 5.0, 35.0])
    seen = factors.compton("Ni", q, WAVELENGTH)
    assert seen[0] < 0.3
    assert 10 < seen[1] < 20
    kept = 1 / (1 + 0.0242631 / WAVELENGTH * (1 - np.cos(2 * np.arcsin(35 * WAVELENGTH / 12.566))))
    assert 25 < seen[2] / kept**2 < 28  # the innermost electrons are bound


def test_dispersion_takes_from_ceria_above_its_edge():
    assert factors.amplitude("Ce", np.array([0.01]), WAVELENGTH)[0].imag == pytest.approx(
        1.25, abs=0.02
    )
    assert factors.mean("CeO2", np.array([0.01]), 1.54)[0] < 74 / 3


@pytest.mark.parametrize("name", DENSITIES)
def test_densities(name):
    assert materials.MATERIALS[name].density == pytest.approx(DENSITIES[name], rel=2e-3)


def explicit(material, q, centre):
    """Sum up Debye's equation over all pairs of atoms of one sphere."""
    cells = np.arange(-6, 7)
    grid = np.stack(np.meshgrid(cells, cells, cells, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    atoms = material.a * (grid + np.array([place for _, place in material.atoms])).reshape(-1, 3)
    atoms = atoms[((atoms - centre) ** 2).sum(axis=1) < material.radius**2]
    r = np.linalg.norm(atoms[:, None] - atoms, axis=-1)[np.triu_indices(len(atoms), 1)]
    damped = np.exp(-(q**2) * material.u[0][1])
    return 1 + 2 / len(atoms) * damped * np.array([np.sinc(x * r / np.pi).sum() for x in q])


def test_a_powder_of_nickel_is_the_sum_over_its_atoms():
    """Over places of the sphere's centre, and beyond what the sphere itself scatters."""
    small = replace(materials.NICKEL, radius=9.0)
    q = np.linspace(2.0, 12.0, 41)
    random = np.random.default_rng(0)
    centres = random.uniform(0, small.a, (40, 3))
    expected = np.mean([explicit(small, q, centre) for centre in centres], axis=0)
    found = debye.structure_factor(small, q, WAVELENGTH)
    assert np.abs(found - expected).max() < 0.04 * expected.max()
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.04


@pytest.mark.parametrize("name", materials.MATERIALS)
def test_structure_factors_end_at_one_and_intensities_are_positive(name):
    q = np.arange(0.3, 30, 0.01)
    s = debye.structure_factor(materials.MATERIALS[name], q, WAVELENGTH)
    assert s[q > 25].mean() == pytest.approx(1, abs=0.005)
    coherent = debye.coherent(materials.MATERIALS[name], q, WAVELENGTH)
    assert (coherent[q > 0.75] > 0).all()


def shell(name, low, high, qmax=24.0):
    """Return atoms between two distances, by G(r) weighted as X-rays see it."""
    plan = ScanPlan().of(materials.MATERIALS[name])
    r = np.arange(0.01, 20, 0.01)
    g = truth.pair_distribution(plan, r, 0.3, qmax)
    density = plan.sample.phases[0].number_density
    near = (r > low) & (r < high)
    return float(np.sum(r * (g + 4 * np.pi * density * r), where=near) * 0.01), r, g


def test_nickel_has_twelve_neighbours_where_they_belong():
    count, r, g = shell("Ni", 2.0, 3.0)
    assert count == pytest.approx(12, rel=0.03)
    near = r < 3
    assert r[near][g[near].argmax()] == pytest.approx(3.524 / np.sqrt(2), abs=0.01)
    low = r < 1.5
    slope = np.polyfit(r[low], g[low], 1)[0]
    assert slope == pytest.approx(-4 * np.pi * materials.NICKEL.number_density, rel=0.05)


def test_a_glass_has_short_order_only():
    _, r, g = shell("SiO2 glass", 1, 2)
    assert r[g.argmax()] == pytest.approx(1.61, abs=0.02)
    assert np.abs(g[r > 12]).max() < 0.05 * g.max()
    q = np.arange(0.3, 25, 0.01)
    s = debye.structure_factor(materials.SILICA, q, WAVELENGTH)
    assert q[s.argmax()] == pytest.approx(1.5, abs=0.1)


def test_distances_grow_as_the_sample_is_heated():
    plan = ScanPlan(frames=3, evolution=Evolution(expansion=0.01, softening=1.0))
    true = truth.of(plan)
    np.testing.assert_allclose(true.cells[:, 0], 3.524 * np.array([1, 1.005, 1.01]))
    np.testing.assert_allclose(true.displacements[:, 0], 0.0055 * np.array([1, 1.5, 2]))
    r = np.arange(6, 7.5, 0.005)
    first, last = (truth.pair_distribution(plan, r, 0.5, 24.0, frame) for frame in (0, 2))
    assert r[last.argmax()] / r[first.argmax()] == pytest.approx(1.01, abs=0.001)
    assert last.max() < first.max()
