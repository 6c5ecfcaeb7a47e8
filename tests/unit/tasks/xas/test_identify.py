import json
import os
from pathlib import Path

import numpy as np
import pytest

from tasks.io.probe import probe
from tasks.io.spectra import RawSpectra, ScanReference, open_spectra
from tasks.xas.identify import agreement, identify, likely_mode

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[4] / ".." / "shared" / "data"))
BEAMLINES = {
    "APS10BM_2019": "Mn K",
    "APS13ID_2019": "Mn K",
    "APS20ID_2022": "Pb L3",
    "CLSHXMA": "As K",
    "ESRF_SNBL_2013": "Ge K",
    "NSLS6BM_2019": "V K",
    "PF9A_2022": "Fe K",
    "PFBL12C_2005": "Hg L3",
    "SLS_PHOENIX_2023": "Al K",
    "SSRL1_2006": "Ag K",
}


def real(name: str) -> Path:
    path = DATA / "xas" / name
    if not path.exists():
        pytest.skip(f"no real data: {path} is missing; set DAYSEYE_DATA to the folder")
    return path


def absorption(raw: RawSpectra):
    """Energy and mu of the first sweep, as it was likely measured."""
    mode = likely_mode(raw)
    if mode in raw.mu:
        return mode, raw.energy[0], raw.mu[mode][0]
    signal = raw.i0 / raw.i1 if mode == "transmission" else raw.fluorescence.sum(0) / raw.i0
    with np.errstate(invalid="ignore"):
        return mode, raw.energy[0], (np.log(signal) if mode == "transmission" else signal)[0]


def identified(path: Path):
    """What each dataset of a file says it is, and what its spectrum shows."""
    for entry in probe(path, technique="xas"):
        with open_spectra(ScanReference(str(path), entry.inner_path, entry.format)) as spectra:
            mode, energy, mu = absorption(spectra.read())
            yield spectra.facts, mode, identify(energy, mu)


def test_every_standard_of_the_library():
    files = sorted(real("library_xdi").rglob("*.xd*"))
    missed = {}
    for path in files:
        for facts, _, identity in identified(path):
            best = identity.best
            if best is None or (best.element, best.edge) != (facts.element, facts.edge):
                missed[path.name] = str(identity)
            assert agreement(identity, facts.element, facts.edge) is None, path
    assert missed == {}


@pytest.mark.parametrize(("name", "expected"), BEAMLINES.items())
def test_every_beamline(name, expected):
    for facts, _, identity in identified(real(f"beamline_ascii/{name}.dat")):
        assert f"{identity.best.element} {identity.best.edge}" == expected
        assert agreement(identity, facts.element, facts.edge) is None


def test_other_formats():
    for name in ("nxxas/Fe_XDIFiles.h5", "nxxas/BlissMultiModal.h5"):
        for facts, _, identity in identified(real(name)):
            assert (identity.best.element, identity.best.edge) == (facts.element, facts.edge)
    for _, _, identity in identified(real("esrf_bliss/Fe_foil_0001_measurement.h5")):
        assert (identity.best.element, identity.best.edge) == ("Fe", "K")
        assert identity.energy == pytest.approx(7112.0, abs=1.5)


@pytest.mark.parametrize("name", ["se_znse_rt", "se_na2so4_rt"])
def test_two_edges_at_one_energy_are_listed_not_guessed(name):
    """Se K and Tl L3 are both tabulated at 12658 eV."""
    ((facts, _, identity),) = identified(real(f"xdi/{name}.xdi"))
    assert identity.best is None
    assert [str(each) for each in identity.candidates] == ["Se K (12658 eV)", "Tl L3 (12658 eV)"]
    assert "not told by its step" in str(identity)
    assert agreement(identity, facts.element, facts.edge) is None
    assert agreement(identity, "Tl", "L3") is None


def test_energies_are_near_those_of_larch():
    """Both seek the steepest point; ours is coarser, and on the largest step."""
    content = json.loads(real("larch_reference.json").read_text())["results"]
    apart = []
    for each in content[::3]:
        for _, _, identity in identified(real(each["file"])):
            apart.append(abs(identity.energy - each["e0"]))
    assert np.median(apart) < 0.5 and np.max(apart) < 20


def step(e0, low, high, width=1.0, points=400):
    energy = np.linspace(low, high, points)
    return energy, 1 / (1 + np.exp(-(energy - e0) / width)) + 1e-4 * (high - energy)


def test_a_disagreement_is_a_sentence():
    identity = identify(*step(8979, 8800, 9300))
    assert (identity.best.element, identity.best.edge) == ("Cu", "K")
    assert agreement(identity, "Cu", "K") is None and agreement(identity, None, None) is None
    sentence = agreement(identity, "Fe", "K")
    assert sentence == (
        f"The file says Fe K, but the largest step of the spectrum, at {identity.energy:.1f} eV, "
        "fits Cu K (8979 eV)."
    )


def test_another_edge_of_the_element_decides():
    """A step at La L3 5483, 18 eV above V K, and with or without La L2 at 5891 eV."""
    energy, alone = step(5483, 5300, 6150, points=900)
    assert identify(energy, alone).best.element == "V"
    with_l2 = alone + 0.5 / (1 + np.exp(-(energy - 5891)))
    found = identify(energy, with_l2).best
    assert (found.element, found.edge) == ("La", "L3")


@pytest.mark.parametrize("order", ["down", "shuffled", "gaps"])
def test_any_order_and_gaps(order):
    energy, mu = step(7112, 6950, 7500)
    if order == "down":
        energy, mu = energy[::-1], mu[::-1]
    elif order == "shuffled":
        places = np.random.default_rng(0).permutation(len(energy))
        energy, mu = energy[places], mu[places]
    else:
        mu = mu.copy()
        mu[::7] = np.nan
    assert identify(energy, mu).best.element == "Fe"


def test_noise_is_nothing():
    generator = np.random.default_rng(0)
    energy = np.linspace(9000, 9200, 300)
    found = [identify(energy, generator.normal(size=300)) for _ in range(20)]
    assert sum(each.best is not None for each in found) <= 2
    assert identify(energy[:3], energy[:3]).candidates == ()
    assert agreement(identify(energy[:3], energy[:3]), "Fe", "K") is None


def test_the_clearer_channel_tells_the_mode():
    energy, mu = step(7112, 6950, 7500)
    i0 = np.full((1, 400), 1e5)
    noise = np.random.default_rng(0).normal(1, 0.001, (1, 400))
    bright = RawSpectra(
        energy[None], i0=i0, i1=i0 * np.exp(-mu) * noise, fluorescence=1 + 0 * i0[None]
    )
    assert likely_mode(bright) == "transmission"
    dilute = RawSpectra(
        energy[None], i0=i0, i1=i0 * np.exp(-1e-4 * mu) * noise, fluorescence=(i0 * mu)[None]
    )
    assert likely_mode(dilute) == "fluorescence"
    assert likely_mode(RawSpectra(energy[None], i0=i0)) is None
