"""Scans that show no edge, lost their beam, or ended too early are never taken for good ones."""

import numpy as np
import pytest

from tests.system.spectra import result_of, wait_for_quarantine, wait_until_settled


def columns(mu, energy, i0=1e5):
    """Return the counts that give this absorption."""
    before = i0 * (1 + 0.01 * np.sin(energy / 30))
    return np.column_stack([energy, before, before * np.exp(-mu)])


def write_xdi(path, rows):
    """Write a scan of iron."""
    numbered = ["Column.1: energy eV", "Column.2: i0", "Column.3: itrans"]
    named = ["XDI/1.0", *numbered, "Element.symbol: Fe", "Element.edge: K"]
    head = [*named, "///", "-----", "energy i0 itrans"]
    np.savetxt(path, rows, fmt="%.4f", header="\n".join(head))


@pytest.fixture(scope="module")
def odd(platform):
    """Let scans land that show no edge, lost their beam, or ended too early."""
    folder = platform.folder / "absorption"
    energy = np.arange(6950.0, 7500.0, 1.0)
    noise = 1e-4 * np.random.default_rng(3).normal(size=len(energy))
    edge = 0.9 + np.arctan((energy - 7118) / 1.5) / np.pi + noise
    np.savetxt(folder / "flat.dat", columns(0.4 + noise, energy), header="energy i0 itrans")
    negative = columns(edge, energy)
    negative[300:320, 2] = -5.0
    write_xdi(folder / "negative.xdi", negative)
    nan = columns(edge, energy)
    nan[200, 1] = np.nan
    write_xdi(folder / "nan.xdi", nan)
    early = energy < 7138
    write_xdi(folder / "early.xdi", columns(edge[early], energy[early]))
    write_xdi(folder / "few.xdi", columns(edge, energy)[::70])
    write_xdi(folder / "upside.xdi", columns(-edge, energy))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flat", "names no edge, and none stands out of the noise from 6950.0 to 7499.0 eV"),
        ("nan", "'nan' where a number belongs"),
        ("upside", "does not rise at the Fe K edge"),
    ],
)
def test_what_is_no_spectrum_is_quarantined_with_a_sentence(platform, odd, name, said):
    why = wait_for_quarantine(platform, name)
    assert said in why
    assert why.rstrip().endswith((".", "?"))


@pytest.mark.parametrize(
    ("name", "rule", "said"),
    [
        ("negative", "sweeps", "20 of 550 readings are no numbers or not above zero"),
        ("early", "range", "The scan has 168 eV before and 19 eV after the edge"),
        ("few", "range", "There is no point between"),
    ],
)
def test_what_is_half_a_spectrum_is_a_check(platform, odd, name, rule, said):
    wait_until_settled(platform, name)
    verdict, _ = result_of(platform, name)
    assert verdict.verdict == "check"
    assert any(each["rule"] == rule and said in each["reason"] for each in verdict.reasons), (
        verdict.reasons
    )
