"""Liquids: from an absolute S(Q) to neighbours, with a wrong scale and where something lacks."""

import re
from dataclasses import replace

import h5py
import numpy as np
import pytest

from flows.pdf import results
from flows.pdf.liquid import understand
from flows.pdf.recipe import Recipe
from flows.pdf.report import liquid_figures
from flows.pdf.types import Curves, Opened, Sample, Transformed
from tasks.io.scan import ScanReference
from tasks.pdf.composition import parse
from tasks.pdf.finding_pictures import draw_liquid
from tasks.pdf.fourier import to_gr
from tests.unit.flows.pdf.scans import Here, plan, reduce, with_geometry
from tests.unit.tasks.pdf.test_liquids import RHO, hard_spheres

RECIPE = Recipe(liquid=True)
ALUMINIUM = parse("Al")
DENSITY = RHO * ALUMINIUM.mass / 0.602214076
SAMPLE = Sample(ALUMINIUM, "Al", DENSITY)
OPENED = Opened(ScanReference("scan.h5"), (1, 10, 10), 0.17, None, SAMPLE, {}, "", {})
Q = np.linspace(0.7, 20.0, 966)
R = np.arange(1501) * 0.01
SIGMA = 0.02


def absolute(s, q=Q):
    """Return the curves of an absolute S(Q)."""
    f, sigma = q * (s - 1), np.full_like(q, 0.01)
    pairs = to_gr(q, f[None], None, R, qmin=q[0], qmax=q[-1], low_q="linear")
    g = np.asarray(pairs.g).reshape(-1)
    return Curves(
        mode="absolute",
        q=q,
        s=s,
        s_sigma=sigma,
        f=f,
        f_sigma=sigma,
        r=R,
        g=g,
        g_sigma=np.full_like(g, SIGMA),
        each_f=f[None],
        each_f_sigma=sigma[None],
        each_g=g[None],
        each_g_sigma=np.full_like(g, SIGMA)[None],
        qmin=q[0],
        qmax=q[-1],
        details={"number_density": RHO},
    )


def count(s):
    found, doubts = understand(RECIPE, OPENED, Transformed((absolute(s),)))
    assert doubts == ()
    assert found is not None
    assert found.shell is not None
    return found


TRUTH = hard_spheres(Q)


def truth():
    """Return where the shell of the softened spheres ends and how many are in it, finely."""
    fine = np.arange(1, 4001) * 0.0015
    q = np.arange(1, 4001) * 0.01
    f = q * (hard_spheres(q) - 1)
    g = 2 / np.pi * 0.01 * f @ np.sin(np.outer(q, fine))
    rdf = fine * (g + 4 * np.pi * RHO * fine)
    shell = (fine > 2.2) & (fine < 3.2)
    top = fine[shell][rdf[shell].argmax()]
    behind = (fine > top) & (fine < 4.5)
    bottom = fine[behind][rdf[behind].argmin()]
    inside = (fine > 1.6) & (fine < bottom)
    return top, bottom, rdf[inside].sum() * 0.0015


def test_the_first_shell_is_found_and_counted():
    found = count(TRUTH)
    top, bottom, neighbours = truth()
    assert found.shell.peak == pytest.approx(top, abs=0.02)
    assert 0 < found.shell.peak_sigma < 0.02
    assert found.shell.minimum == pytest.approx(bottom, abs=0.06)
    assert abs(found.shell.to_minimum - neighbours) < 2 * found.shell.to_minimum_sigma
    far = found.radial.r > 10
    assert found.radial.g[far].mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("wrong", [1.04, 0.96])
def test_a_wrong_scale_is_mended_by_the_iteration_that_tells_of_itself(wrong):
    right, mended = count(TRUTH), count(wrong * TRUTH)
    after = mended.normalising
    assert after is not None
    assert after.converged
    assert 0 < after.iterations <= 200
    assert after.after < 0.05 * after.before
    now = np.interp(Q, after.q, after.s)
    assert np.std(now - TRUTH) < 0.4 * np.std(wrong * TRUTH - TRUTH)
    assert np.mean(now[Q > 15]) == pytest.approx(1, abs=0.004)
    assert abs(mended.shell.to_minimum - right.shell.to_minimum) < right.shell.to_minimum_sigma
    told = liquid_figures(mended)
    assert told["converged"] is True
    assert told["neighbours_to_minimum"]["sigma"] > 0
    assert told["first_peak_angstrom"]["value"] == pytest.approx(mended.shell.peak, rel=1e-4)


@pytest.mark.parametrize(
    ("sample", "recipe", "why"),
    [
        (replace(SAMPLE, density=None), RECIPE, "density of the sample is not known"),
        (SAMPLE, Recipe(liquid=True, modes=["compatible"]), "need the absolute mode"),
        (SAMPLE, RECIPE, r"need S\(Q\) on an absolute scale"),
    ],
)
def test_what_lacks_is_told(sample, recipe, why):
    relative = Transformed((replace(absolute(TRUTH), mode="compatible"),))
    found, (told,) = understand(recipe, replace(OPENED, sample=sample), relative)
    assert found is None
    assert re.search(why, told)


def test_a_curve_that_ends_too_early_is_told():
    whole = absolute(TRUTH)
    short = replace(whole, r=R[:150], g=whole.g[:150], g_sigma=whole.g_sigma[:150])
    found, (told,) = understand(RECIPE, OPENED, Transformed((short,)))
    assert found is None
    assert "set r_max beyond them" in told


def test_noise_alone_has_no_shell():
    noise = 1 + 0.2 * np.random.default_rng(2).normal(size=len(Q))
    found, doubts = understand(RECIPE, OPENED, Transformed((absolute(noise),)))
    assert doubts
    assert found is None or found.shell is None


def test_the_picture_is_drawn(tmp_path):
    found = count(TRUTH)
    path = tmp_path / "liquid.png"
    after = found.normalising
    draw_liquid(path, found.radial, (Q, TRUTH), (after.q, after.s), found.shell, "aluminium")
    assert path.stat().st_size > 10_000


def test_nickel_has_twelve_neighbours_and_files_hold_its_functions(tmp_path):
    class Run(Here):
        def output(self, relative, role, media_type):
            return self.folder / relative

    claimed = with_geometry(tmp_path, plan(), "container")
    recipe = Recipe(composition="Ni", density=8.908, liquid=True)
    result = reduce(recipe, claimed, tmp_path)
    found = result.interpreted.liquid
    assert found is not None
    assert found.normalising.after < 1e-4 * found.normalising.before
    assert "transform" not in result.doubts
    assert found.shell.to_minimum == pytest.approx(12, abs=0.4)
    assert found.shell.peak == pytest.approx(3.52 / 2**0.5, abs=0.01)

    facts = {"run_id": 1, "beamline": "", "sample": "", "output_folder": tmp_path / "scan" / "v001"}
    vars(claimed).update(facts)
    results.write(Run(claimed, tmp_path), recipe, result)
    text = (tmp_path / "scan.gofr").read_text().partition("#L r(A)  g  dg\n")[2]
    columns = np.loadtxt(text.splitlines())
    np.testing.assert_allclose(columns[:, 1], found.radial.g, rtol=1e-7)
    with h5py.File(tmp_path / "scan_absolute_pdf.h5") as file:
        for kind, name in (("gofr", "g"), ("tofr", "T"), ("rdf", "RDF"), ("sq_iterated", "S")):
            assert file[f"entry/{kind}"].attrs["signal"] == name
        np.testing.assert_array_equal(file["entry/rdf/RDF"], found.radial.rdf)
