"""A beamline's files are looked at as those of its technique."""

import h5py
import numpy as np

from triggers.ahead import Ahead
from triggers.beamline import PATTERNS, Beamline
from triggers.look import Candidate
from triggers.scan_folder import signature


def looked(beamline, path, quiet_for=100.0):
    """What a look at a file tells that has been quiet for so long."""
    candidate = Candidate(beamline, path, changed_at=0.0, due=0.0)
    candidate.signature = signature(path)
    (arrival,) = candidate.arrivals(quiet_for)
    return arrival


def xdi(path):
    rows = "".join(f"{7100 + at} {100 + at} {50 + at}\n" for at in range(9))
    path.write_text(f"# XDI/1.0\n# Column.1: energy eV\n# ---\n# energy i0 itrans\n{rows}")
    return path


def test_patterns_are_those_of_the_technique_unless_they_are_given():
    given = {"id": "b", "folders": ["/raw"], "output": "/out/{scan}"}
    assert Beamline(**given).patterns == PATTERNS["ct"]
    assert Beamline(**given, technique="ct").patterns == PATTERNS["ct"]
    spectroscopy = Beamline(**given, technique="xas")
    assert spectroscopy.accepts("a.xdi") and spectroscopy.accepts("a.prj")
    assert not spectroscopy.accepts("a.tif") and not spectroscopy.accepts("noextension")
    assert Beamline(**given, technique="xas", patterns=["*.tif"]).patterns == ("*.tif",)


def test_spectra_are_found_on_a_beamline_of_spectroscopy(make_beamline, raw):
    path = xdi(raw / "a.xdi")
    arrival = looked(make_beamline(technique="xas"), path)
    assert arrival.entry is not None and arrival.entry.format == "xdi"
    assert arrival.judgement.stage == "complete"
    assert looked(make_beamline(technique="xas"), path, quiet_for=0.1).judgement.stage == "opened"
    tomography = looked(make_beamline(), path)
    assert tomography.entry is None
    assert "no installed reader knows it (dxchange, nxtomo" in str(tomography.judgement.reason)


def test_a_rule_has_a_technique_of_its_own(make_beamline, raw):
    rules = [{"name": "spectra", "match": ["**/*.xdi"], "technique": "xas"}]
    beamline = make_beamline(rules=rules)
    path = xdi(raw / "a.xdi")
    arrival = looked(beamline, path)
    assert arrival.entry is not None and arrival.entry.format == "xdi"


def test_reading_ahead_knows_the_technique(raw):
    path = raw / "quick.h5"
    with h5py.File(path, "w") as file:
        for name in ("energy", "i0", "itrans"):
            file[f"entry/measurement/{name}"] = np.arange(1.0, 9.0) + 7000
    ahead = Ahead(1)
    try:
        assert ahead.read([path], ["xas"])[path].entry.format == "quick"
        assert ahead.read([path], ["ct"]) == {}
    finally:
        ahead.close()
