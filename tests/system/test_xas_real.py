"""Spectra of many real beamlines land at once, and are reduced from counts to EXAFS."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Step
from tasks.io.probe import probe
from tasks.io.spectra import ScanReference, open_spectra
from tests.system.spectra import file_of, result_of, wait_for_quarantine, wait_until_settled

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "xas"


@dataclass(frozen=True)
class Expected:
    """What a real file must be reduced to."""

    edge: str
    mode: str
    e0: float
    edge_step: float
    verdict: str = "ok"
    has_exafs: bool = True


REAL = {
    "APS10BM_2019": Expected("Mn K", "transmission", 6558.25, 0.780),
    "APS20ID_2022": Expected("Pb L3", "fluorescence", 13045.0, 5.04e8, has_exafs=False),
    "CLSHXMA": Expected("As K", "transmission", 11869.7, 0.688),
    "ESRF_SNBL_2013-1": Expected("Ge K", "transmission", 11111.0, 0.707),
    "ESRF_SNBL_2013-2": Expected("Ge K", "transmission", 11111.0, 0.703),
    "NSLS6BM_2019": Expected("V K", "fluorescence", 5466.8, 785.6),
    "PF9A_2022": Expected("Fe K", "fluorescence", 7122.0, 0.0985),
    "PFBL12C_2005": Expected("Hg L3", "transmission", 12286.7, 1.393, "check"),
    "SLS_PHOENIX_2023": Expected("Al K", "fluorescence", 1565.15, 5.86e12),
    "SSRL1_2006": Expected("Ag K", "transmission", 25519.0, 0.757),
    "Fe_XDIFiles-fe2o3": Expected("Fe K", "transmission", 7125.75, 0.955),
    "Fe_XDIFiles-fe_metal": Expected("Fe K", "transmission", 7111.0, 0.960),
    "Fe_XDIFiles-feo": Expected("Fe K", "transmission", 7123.0, 0.975),
    "BlissMultiModal-1.1": Expected("As K", "fluorescence", 11866.5, 2.848, "check"),
    "BlissMultiModal-2.1": Expected("As K", "fluorescence", 11866.5, 2.829, "check"),
}
FOILS = [f"Fe_foil_0001_measurement-{number}.1" for number in range(1, 11)]


@pytest.fixture(scope="module")
def real(platform):
    """Let all real files land at once."""
    if not DATA.exists():
        pytest.skip(f"no real data: {DATA} is missing; set DAYSEYE_DATA to the folder above it")
    for folder in ("beamline_ascii", "esrf_bliss", "nxxas"):
        for path in sorted((DATA / folder).iterdir()):
            if path.suffix in (".dat", ".h5"):
                shutil.copyfile(path, platform.folder / "absorption" / path.name)
    return platform.folder / "processed" / "absorption"


@pytest.mark.parametrize("name", REAL)
def test_real_files_of_many_beamlines_are_reduced(platform, real, name):
    wait_until_settled(platform, name)
    verdict, metadata = result_of(platform, name)
    expected = REAL[name]
    assert f"{metadata['element']} {metadata['edge']}" == expected.edge
    assert metadata["mode"] == expected.mode
    assert verdict.quality["e0_ev"] == pytest.approx(expected.e0, abs=1.0)
    assert verdict.quality["edge_step"] == pytest.approx(expected.edge_step, rel=0.02)
    assert verdict.verdict == expected.verdict, verdict.reasons
    assert ("chi_r_peak_angstrom" in verdict.quality) == expected.has_exafs, metadata["exafs"]


def read_again(path):
    """Return energy and absorption that a reader finds in a result."""
    (entry,) = probe(path, technique="xas")
    with open_spectra(ScanReference(str(path), entry.inner_path, entry.format)) as spectra:
        raw, facts = spectra.read(), spectra.facts
    assert (facts.element, facts.edge) == ("As", "K")
    return raw.energy[0], raw.mu["transmission"][0]


def test_what_is_written_is_read_again_by_the_readers(platform, real):
    wait_until_settled(platform, "CLSHXMA")
    path = file_of(platform, "absorption", "CLSHXMA")
    energy, norm = read_again(path)
    assert np.mean(norm[energy < 11800]) == pytest.approx(0, abs=0.01)
    assert np.mean(norm[(energy > 11900) & (energy < 12200)]) == pytest.approx(1, abs=0.05)
    with h5py.File(path) as file:
        mu = file["entry/absorption/mu"][()]
    again = read_again(file_of(platform, "absorption", "CLSHXMA", suffix=".xdi"))
    np.testing.assert_allclose(again, [energy, mu], rtol=1e-5)


def test_a_scan_of_the_edge_alone_has_no_exafs_and_no_doubt(platform, real):
    wait_until_settled(platform, "APS20ID_2022")
    _, metadata = result_of(platform, "APS20ID_2022")
    assert metadata["exafs"] == "none: the scan ends 90 eV above the edge"
    with h5py.File(file_of(platform, "absorption", "APS20ID_2022")) as file:
        assert "chi_k" not in file["entry"]


def test_a_scan_that_was_stopped_before_the_edge_says_so(platform, real):
    why = wait_for_quarantine(platform, "APS13ID_2019")
    assert "from 6389.0 to 6537.0 eV; the Mn K edge, at 6539.0 eV, is not in it" in why


def test_every_scan_of_a_bliss_file_is_a_dataset_and_they_agree(platform, real):
    wait_until_settled(platform, *FOILS)
    found = [result_of(platform, name)[0] for name in FOILS]
    assert {verdict.verdict for verdict in found} == {"ok"}
    energies = [verdict.quality["e0_ev"] for verdict in found]
    assert np.ptp(energies) <= 0.25
    assert np.mean(energies) == pytest.approx(7112.0, abs=0.25)
    steps = [verdict.quality["edge_step"] for verdict in found]
    assert np.ptp(steps) / np.mean(steps) < 0.01


def test_the_stages_and_their_algorithms_are_on_record(platform, real):
    wait_until_settled(platform, "CLSHXMA")
    (run,) = platform.runs("CLSHXMA")
    with Session(platform.engine) as session:
        steps = session.execute(
            select(Step.stage, Step.algorithm).where(Step.run_id == run.id)
        ).all()
    recorded = {}
    for stage, algorithm in steps:
        recorded.setdefault(stage, set()).add(algorithm)
    assert recorded["align sweeps"] >= {"xas.rebin", "xas.squares_left", "xas.minus_log_ratio"}
    assert recorded["reduce sweeps"] >= {"xas.rebin", "xas.find_glitches"}
    assert recorded["normalise"] >= {"xas.find_e0", "xas.normalise", "xas.normalise_sigma"}
    assert recorded["extract EXAFS"] >= {"xas.autobk"}
