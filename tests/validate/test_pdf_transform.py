"""
From real intensities to S(Q) and G(r): published results and known structures.

LaB6 of the Swiss-Norwegian beamlines with what PDFgetX3 and GudrunX made of it; Ni with what
PDFgetX2 made of it. The LaB6 pattern was published without the detector's solid angle and with a
thin silicon sensor at 45.8 keV, whose stopping grows with the slant: together cos²(2 theta), which
air and empty glass show as well (test below). The absolute mode gets the pattern corrected for it.
"""

from functools import cache

import numpy as np
import pytest

from infra.simulator.pdf import debye, factors, materials
from tasks.pdf.absolute import absolute
from tasks.pdf.absorption import capillary, linear_attenuation
from tasks.pdf.background import refuse_negative, subtract_background
from tasks.pdf.compatible import compatible
from tasks.pdf.composition import parse
from tasks.pdf.fourier import to_gr
from tasks.pdf.qmax import propose_qmax
from tasks.pdf.scattering import compton, mean_square_form_factor
from tests.unit.tasks.pdf.crystals import LAB6, coherent
from tests.unit.tasks.pdf.crystals import compton as compton_of
from tests.validate.chain import real_data

WAVELENGTH, CELL = 0.270793, 4.1569
RHO = 7 / CELL**3
DENSITY = 4.711  # g/cm³, of that cell
HEXABORIDE = parse("LaB6")
NAME = "LaB6_0p4mm_011_av10_monitor"
PUBLISHED = {
    "pdfgetx": {"rpoly": 1.5, "qmin": 1.0, "qmaxinst": 23.4501},
    "gui": {"rpoly": 1.3, "qmin": 0.8, "qmaxinst": 23.0},
}
QMAX_GUDRUN = 18.0


def columns(name):
    """Read the first two numbers of each row after the header, whatever stands in it."""
    rows = []
    for line in real_data(name).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            rows.append([float(value) for value in line.split()[:2]])
        except ValueError:
            continue
    return np.array([row for row in rows if len(row) == 2]).T


def snbl(name):
    """Two theta (rad), Q, intensity and sigma of a pattern."""
    angle, intensity, sigma = np.loadtxt(real_data(f"pdf/snbl_lab6/{name}.xye")).T
    theta = np.radians(angle)
    return theta, 4 * np.pi * np.sin(theta / 2) / WAVELENGTH, intensity, sigma


@cache
def hexaboride():
    """LaB6 without its capillary; scale 1, since the patterns stand on one monitor."""
    theta, q, sample, sigma = snbl(NAME)
    _, _, walls, walls_sigma = snbl("0p4mm_capillary_018_av17_monitor")
    found = subtract_background(q, sample, sigma, walls, walls_sigma, 1.0)
    refuse_negative(q, found.intensity, found.sigma, walls)
    return theta, q, found.intensity, found.sigma


def apart(mine, published):
    """Scale of mine onto the published curve, and Rw without that scale."""
    scale = (mine @ published) / (mine @ mine)
    return scale, np.linalg.norm(mine - published) / np.linalg.norm(published)


@pytest.mark.parametrize("which", list(PUBLISHED))
def test_both_published_parameter_sets_are_reproduced(which):
    settings = PUBLISHED[which]
    _, q, intensity, sigma = hexaboride()
    found = compatible(q, intensity, sigma, HEXABORIDE, **settings)
    axis, published = columns(f"pdf/snbl_lab6/{which}/{NAME}.fq")
    first = int(np.argmin(np.abs(found.q - axis[0])))
    mine = slice(first, first + len(axis))
    assert np.abs(found.q[mine] - axis).max() < 1e-4
    scale, rw = apart(found.f[0, mine], published)
    print(f"{which} F(Q): scale {scale:.7f}, Rw {rw:.2e}")
    assert abs(scale - 1) < 1e-5
    assert rw < 1e-5
    r, published = columns(f"pdf/snbl_lab6/{which}/{NAME}.gr")
    pairs = to_gr(found.q, found.f, found.f_sigma, r, qmin=settings["qmin"], qmax=23.0)
    beyond = r >= 0.5  # the later version sets what lies below to zero
    scale, rw = apart(pairs.g[0, beyond], published[beyond])
    print(f"{which} G(r): scale {scale:.5f}, Rw {rw:.2e}")
    assert abs(scale - 1) < 1e-3
    assert rw < 1e-3


def test_air_and_glass_show_what_the_published_pattern_lacks():
    theta, q, air, _ = snbl("bkg_011_av10_monitor")
    glass = snbl("0p4mm_capillary_018_av17_monitor")[2] - air
    high = (q > 8) & (q < 22)
    for intensity, formula in ((air, "N"), (glass, "SiO2")):
        material = parse(formula)
        free = mean_square_form_factor(material, q) + compton(material, q, WAVELENGTH)
        ratio = intensity / free / np.cos(theta) ** 2
        smooth = np.polyval(np.polyfit(q[high], ratio[high], 3), q[high])
        spread = np.ptp(smooth) / smooth.mean()
        print(f"{formula}: over free atoms and cos², {spread:.1%} from end to end; cos² itself 4x")
        assert spread < 0.2


def corrected():
    """The absolute mode's input: response and absorption of the capillary undone."""
    theta, q, intensity, sigma = hexaboride()
    response = np.cos(theta) ** 2
    packed = linear_attenuation(HEXABORIDE, DENSITY, WAVELENGTH, packing=0.55)
    walls = linear_attenuation(parse("SiO2"), 2.2, WAVELENGTH)
    passed = capillary(theta, packed, 0.18, container_mu=walls, outer_radius=0.20).s_sc
    return q, intensity / response, sigma / response, passed


def absolute_hexaboride(qmin=1.0):
    q, intensity, sigma, passed = corrected()
    return absolute(
        q,
        intensity,
        sigma,
        HEXABORIDE,
        wavelength=WAVELENGTH,
        density=DENSITY,
        qmin=qmin,
        qmax=QMAX_GUDRUN,
        transmitted=passed,
    )


def shell(found, low, high, q=None, f=None):
    """Area of the radial distribution between two distances."""
    r = np.arange(low, high, 0.01)
    axis, curve = (found.q, found.f) if q is None else (q, f)
    settings = {"qmin": 1.0, "qmax": QMAX_GUDRUN, "window": "lorch", "low_q": "linear"}
    g = to_gr(axis, curve, None, r, **settings).g[0]
    return np.trapezoid(r * g + 4 * np.pi * RHO * r**2, r)


@cache
def crystal():
    """S(Q) of the known structure on the bins that the absolute mode returns."""
    found = absolute_hexaboride()
    intensity, s = coherent(LAB6, found.q)
    return found, intensity, s


def test_low_r_of_the_hexaboride_is_the_line_of_its_density():
    found = absolute_hexaboride()
    r = np.arange(0.3, 1.2, 0.01)
    settings = {"qmin": 1.0, "qmax": QMAX_GUDRUN, "window": "lorch", "low_q": "linear"}
    g = to_gr(found.q, found.f, None, r, **settings).g[0]
    slope = (g @ r) / (r @ r) / (-4 * np.pi * RHO)
    details = {k: float(found.details[k][0]) for k in ("alpha", "alpha_disagreement")}
    print(f"low-r slope {slope:.3f} of -4 pi rho0; {details}, residual {found.details['residual']}")
    assert slope == pytest.approx(1, abs=0.05)


def test_lanthanum_has_its_24_borons():
    """The area of the shell at 3.05 Å beside that of the known structure, cut alike."""
    found, _, s = crystal()
    area = shell(found, 2.6, 3.5)
    truth = shell(found, 2.6, 3.5, found.q, (found.q * (s - 1))[None])
    coordination = 24 * area / truth
    print(f"area {area:.2f}, of the structure {truth:.2f}: {coordination:.2f} borons about La")
    assert coordination == pytest.approx(24, rel=0.05)


def blurred(q, s, grid, width=0.15):
    """S(Q) - 1 as an instrument of that width sees it: peaks by their areas."""
    weights = np.exp(-0.5 * ((grid[:, None] - q) / width) ** 2) * np.gradient(q)
    return weights @ s / weights.sum(axis=1)


def test_beside_gudrun():
    """
    At one width, since GudrunX smears its peaks; both beside the known structure.

    Its level drifts by more than one: it was given the pattern without the solid angle.
    """
    found, _, s = crystal()
    q, gudrun, _ = np.loadtxt(real_data(f"pdf/snbl_lab6/gudrunx/{NAME}.soq")).T
    grid = np.arange(1.5, 17, 0.05)
    mine, truth = (blurred(found.q, each, grid) for each in (found.s[0] - 1, s - 1))
    theirs = blurred(q, gudrun, grid)

    def rms(values):
        return float(np.sqrt(np.mean(values**2)))

    def fast(values):
        level = [values[np.abs(grid - at) < 1].mean() for at in grid]
        return (values - level)[20:-20]

    along = np.corrcoef(fast(mine), fast(theirs))[0, 1]
    print(
        f"S(Q) at 0.15 1/Å: rms {rms(mine - theirs):.3f} from GudrunX's, whose S - 1 has "
        f"{rms(theirs):.3f}; from the structure's ours {rms(mine - truth):.3f}, GudrunX's "
        f"{rms(theirs - truth):.3f}; without what is slower than 2 1/Å: rms "
        f"{rms(fast(mine) - fast(theirs)):.3f} of {rms(fast(theirs)):.3f}, correlation {along:.3f}"
    )
    assert along > 0.9
    assert rms(mine - truth) < 0.2 < rms(theirs - truth)


def test_the_constant_is_the_fluorescence_of_lanthanum():
    """Beside 20 to 380 electron units of all else: Kα and Kβ are excited above 38.9 keV."""
    found = absolute_hexaboride()
    constant = float(found.details["slow"][0, 0] / found.details["alpha"][0])
    atoms = coherent(LAB6, np.array([12.0]))[0] + compton_of(
        {"La": 1 / 7, "B": 6 / 7}, np.array([12.0]), WAVELENGTH
    )
    print(f"constant {constant:.0f} e.u. per atom, all else {atoms[0]:.0f} at 12 1/Å")
    assert 200 < constant < 550


@pytest.mark.parametrize("name", ["NICKEL", "CERIA", "SILICA", "SILICON", "HEXABORIDE"])
def test_the_amplitude_is_absolute_for_crystals_and_a_glass(name):
    """Ideal intensities by the simulator's own form factors, with a constant of fluorescence."""
    material, q = getattr(materials, name), np.arange(0.5, 24, 0.009)
    formula = material.formula
    free = debye.coherent(material, q, 0.1671) + factors.compton(formula, q, 0.1671)
    s = debye.structure_factor(material, q, 0.1671)
    found = absolute(
        q,
        0.2 * (free + 40),
        None,
        parse(formula),
        wavelength=0.1671,
        density=material.density,
        qmin=0.75,
        qmax=22.0,
    )
    wanted = np.interp(found.q, q, s) - 1
    amplitude = float((found.s[0] - 1) @ wanted / (wanted @ wanted))
    ways = found.details["alpha_disagreement"][0]
    print(f"{formula}: amplitude {amplitude:.4f}, ways to alpha differ by {ways:.1%}")
    assert amplitude == pytest.approx(1, abs=0.02)


def test_qmax_from_the_noise_is_sensible():
    _, q, intensity, sigma = hexaboride()
    found = compatible(q, intensity, sigma, HEXABORIDE, **PUBLISHED["gui"])
    proposed = propose_qmax(found.q, found.f, found.f_sigma)
    print(f"proposed Qmax {proposed:.2f} 1/Å of 23")
    assert 12 < proposed <= 23


def nickel_fit(r, g, qmax):
    """Cell (Å), Rw and scale of fcc nickel fitted from 1.5 to 20 Å."""
    from diffpy.pdffit2 import PdfFit
    from diffpy.structure import Atom, Lattice, Structure

    sites = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    structure = Structure(
        [Atom("Ni", site) for site in sites], Lattice(3.53, 3.53, 3.53, 90, 90, 90)
    )
    structure.Uisoequiv = 0.005
    fit = PdfFit()
    fit.add_structure(structure)
    inside = (r > 0.5) & (r < 30)
    fit.read_data_lists("X", qmax, 0.0, list(r[inside]), list(g[inside]))
    fit.pdfrange(1, 1.5, 20)
    for axis in (1, 2, 3):
        fit.constrain(fit.lat(axis), "@1")
    for atom in (1, 2, 3, 4):
        for u in (fit.u11, fit.u22, fit.u33):
            fit.constrain(u(atom), "@2")
    fit.constrain(fit.dscale, "@3")
    fit.constrain(fit.qdamp, "@4")
    for number, start in enumerate((3.53, 0.005, 1.0, 0.06), 1):
        fit.setpar(number, start)
    fit.refine(toler=1e-6)
    return fit.getpar(1), fit.getrw(), fit.getpar(3)


def test_nickel_has_its_cell_and_fits_no_worse_than_as_published():
    q, intensity = columns("pdf/cmi_ch05/ni.iq")
    r, published = columns("pdf/cmi_ch05/ni.gr")
    found = compatible(q, intensity, None, parse("Ni"), qmin=0.8, qmaxinst=23.9, rpoly=0.9)
    g = to_gr(found.q, found.f, None, r, qmin=0.8, qmax=23.9).g[0]
    cell, rw, scale = nickel_fit(r, g, 23.9)
    theirs = nickel_fit(r, published, 27.0)
    print(f"a {cell:.4f} Å, Rw {rw:.4f}; as published {theirs[0]:.4f} Å, {theirs[1]:.4f}")
    assert cell == pytest.approx(3.524, abs=0.001)
    assert rw <= theirs[1]
    assert scale > 0
