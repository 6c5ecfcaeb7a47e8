"""Total scattering lands on a real platform and is reduced to G(r), or refused with a sentence."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.system.spectra import (
    dayseye,
    file_of,
    result_of,
    state_of,
    wait_for_quarantine,
    wait_until_settled,
)

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "pdf"
SNBL = DATA / "snbl_lab6"
CAPILLARY = "0p4mm_capillary_018_av17_monitor"
LAB6 = "LaB6_0p4mm_011_av10_monitor"

pytestmark = pytest.mark.skipif(
    not DATA.exists(), reason=f"no real data at {DATA}: set DAYSEYE_DATA"
)


def land(source, folder, name=None):
    """Let a file land as beamlines do: it grows, then gets its name."""
    folder.mkdir(parents=True, exist_ok=True)
    arriving = folder / ".arriving"
    shutil.copyfile(source, arriving)
    arriving.rename(folder / (name or source.name))


@pytest.fixture(scope="module")
def lab6(platform):
    """Let a sample, and then its empty capillary, land."""
    folder = platform.folder / "scattering" / "LaB6"
    land(SNBL / f"{LAB6}.xye", folder)
    platform.wait_for(
        lambda: state_of(platform, LAB6) == "waiting_for_calibration", 60, "it waits"
    )
    dayseye(platform, "sample", "set", "LaB6", "--formula", "LaB6")
    land(SNBL / f"{CAPILLARY}.xye", folder)
    wait_until_settled(platform, LAB6)


def test_a_pattern_waits_for_its_container_and_becomes_a_pair_distribution(platform, lab6):
    verdict, metadata = result_of(platform, LAB6)
    assert metadata["composition"] == "LaB6"
    assert metadata["said_by"]["composition"] == "sample"
    assert metadata["background"]["kind"] == "container"
    r, g, _ = np.loadtxt(file_of(platform, "scattering", LAB6, suffix=".gr")).T
    # boron to lanthanum, a sqrt(2 (1/2)^2 + x^2) with a 4.157 and x 0.1997 Å
    near = (r > 2.8) & (r < 3.3)
    assert r[near][np.argmax(g[near])] == pytest.approx(3.05, abs=0.03)
    assert verdict.verdict == "check"
    assert [each["rule"] for each in verdict.reasons] == ["background"]
