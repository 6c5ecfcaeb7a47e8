from dataclasses import replace
from io import StringIO

from rich.console import Console

from infra.demo_progress import Display, Progress, table
from infra.demo_scans import (
    Absorption,
    Calibrant,
    Crystal,
    Evolution,
    Glass,
    Overexposed,
    Tomogram,
)


def fractions(**values):
    return {name: {"fraction": value, "sigma": 0.01} for name, value in values.items()}


REDUCED = Progress(
    Tomogram("scan_0001", axis=124.3),
    "completed",
    "enter result",
    {"rotation_axis": 124.6},
    seconds=3.2,
    verdict="ok",
)
SPECTRUM = Progress(
    Absorption("quick_0001", 7121.0, {"Fe": 0.5, "FeO": 0.5, "Fe2O3": 0.0}),
    "completed",
    "enter result",
    {
        "e0": 7121.2,
        "composition": fractions(Fe=0.52, FeO=0.48, Fe2O3=0.0),
    },
    seconds=3.2,
    verdict="check",
)


SERIES = Progress(
    Evolution("heated_0001 series", 5, {"Fe": 0.0, "FeO": 1.0}, {"Fe": 0.6, "FeO": 0.4}),
    "completed",
    "enter result",
    {
        "scans": 5,
        "composition_first": fractions(Fe=0.01, FeO=0.99),
        "composition_last": fractions(Fe=0.61, FeO=0.39),
    },
    verdict="ok",
)


def found(row, **figures):
    return replace(row, figures={**row.figures, **figures})


def test_a_tomogram_is_right_when_it_is_recorded_and_its_axis_is_near_the_truth():
    assert REDUCED.right
    assert not found(REDUCED, rotation_axis=125.0).right
    assert not replace(REDUCED, figures={}).right
    assert not replace(REDUCED, verdict="").right
    assert not replace(REDUCED, state="failed").right


def test_a_spectrum_is_right_when_its_edge_and_all_of_its_fractions_are_near_the_truth():
    assert SPECTRUM.right
    assert not found(SPECTRUM, e0=7121.6).right
    assert not found(SPECTRUM, composition=fractions(Fe=0.54, FeO=0.46, Fe2O3=0.0)).right
    assert not found(SPECTRUM, composition=fractions(Fe=0.5, FeO=0.5)).right
    assert not replace(SPECTRUM, figures={"e0": 7121.0}).right
    assert not replace(SPECTRUM, figures={}).right


def test_total_scattering_is_right_when_what_was_found_is_near_the_truth():
    nickel = Progress(Crystal("nickel_0001", "Ni", 3.524), "completed", verdict="ok")
    fitted = {"Ni": {"a": {"value": 3.5252}}, "CeO2": {"a": {"value": 5.1}}}
    assert found(nickel, structures=fitted).right
    assert found(nickel, structures=fitted).found == "Ni 3.5252 Å"
    assert not found(nickel, structures={"Ni": {"a": {"value": 3.528}}}).right
    assert not found(nickel, structures={"CeO2": {"a": {"value": 3.524}}}).right
    assert not nickel.right
    glass = Progress(Glass("glass_0001", 1.61), "completed", verdict="check")
    assert found(glass, largest_peak_angstrom=1.63).right
    assert not found(glass, largest_peak_angstrom=3.1).right
    calibrant = Progress(Calibrant("calib_0001", 250.0), "completed", verdict="ok")
    assert found(calibrant, distance_mm=250.2).right
    assert not found(calibrant, distance_mm=251.0).right


def test_what_is_to_be_refused_is_right_in_quarantine_with_a_sentence_alone():
    refused = Progress(Overexposed("bright_0001"), "quarantined", reason="It is overexposed.")
    assert refused.right
    assert refused.settled
    assert not replace(refused, reason="").right
    assert not replace(refused, state="completed", verdict="ok").right


def test_a_series_is_settled_once_all_of_its_scans_are_in_it():
    assert SERIES.settled
    assert SERIES.right
    assert not found(SERIES, scans=4).settled
    assert not found(SERIES, scans=4).right
    assert not found(SERIES, composition_last=fractions(Fe=0.65, FeO=0.35)).right
    assert replace(SERIES, state="failed").settled
    assert SERIES.found == "1% to 61% Fe"
    assert SERIES.scan.truth == "0% to 60% Fe"
    assert not replace(SERIES, figures={"scans": 2}).found


def test_a_scan_that_waits_is_not_settled():
    states = ("to come", "waiting_for_calibration", "running", "completed", "quarantined", "failed")
    settled = [state for state in states if replace(REDUCED, state=state).settled]
    assert settled == ["completed", "quarantined", "failed"]


def test_without_a_terminal_each_change_is_a_line():
    console = Console(file=StringIO(), width=100)
    running = replace(REDUCED, state="running", stage="find rotation axis", figures={})
    with Display(console) as display:
        for rows in (
            [replace(REDUCED, state="to come", stage="", figures={})],
            [running],
            [running],
            [REDUCED, SPECTRUM],
        ):
            display.show(rows, "")
    assert console.file.getvalue().splitlines() == [
        "scan_0001  find rotation axis",
        "scan_0001  completed  axis 124.60",
        "quick_0001  completed  7121.2 eV  52% Fe",
    ]


def test_on_a_terminal_the_scans_stand_in_a_table():
    console = Console(file=StringIO(), width=100)
    console.print(table([REDUCED, SPECTRUM], "12 s"))
    for word in ("scan_0001", "axis 124.60", "3.2", "completed", "ok"):
        assert word in console.file.getvalue()
    for word in ("quick_0001", "7121.2 eV  52% Fe", "check"):
        assert word in console.file.getvalue()
