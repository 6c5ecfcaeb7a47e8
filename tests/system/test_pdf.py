"""Total scattering lands on a real platform and is reduced to G(r), or refused with a sentence."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import httpx
import numpy as np
import pytest

from infra.simulator.pdf import materials, poni, truth
from infra.simulator.pdf.plan import Evolution, ScanPlan, small
from infra.simulator.pdf.write import write_scan
from tests.system.spectra import (
    dayseye,
    file_of,
    result_of,
    state_of,
    wait_for_quarantine,
    wait_until_settled,
)

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "pdf"
SNBL, DIOPTAS = DATA / "snbl_lab6", DATA / "dioptas_ceo2"
CAPILLARY = "0p4mm_capillary_018_av17_monitor"
LAB6 = "LaB6_0p4mm_011_av10_monitor"
CERIA = "CeO2_Pilatus1M"
NI = """\
data_Ni
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a 3.52
_cell_length_b 3.52
_cell_length_c 3.52
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
Ni 0 0 0 0.005
"""
real = pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}: set DAYSEYE_DATA")


def land(source, folder, name=None):
    """Let a file land whole."""
    folder.mkdir(parents=True, exist_ok=True)
    arriving = folder / ".arriving"
    shutil.copyfile(source, arriving)
    arriving.rename(folder / (name or source.name))


def wait_until_it_waits(platform, name):
    platform.wait_for(
        lambda: state_of(platform, name) == "waiting_for_calibration", 120, f"{name} waits"
    )


def tell_formula(platform, sample, formula):
    asked = ("--set", f"formula={formula}", "--reason", "written on the bottle")
    dayseye(platform, "sample", "set", sample, *asked)


@pytest.fixture(scope="module")
def lab6(platform):
    """Let two samples land, and after them the empty capillary that both wait for."""
    folder = platform.folder / "scattering"
    land(SNBL / f"{LAB6}.xye", folder / "LaB6")
    land(SNBL / f"{LAB6}.xye", folder / "unlabelled bottle", "mystery.xye")
    for name in (LAB6, "mystery"):
        wait_until_it_waits(platform, name)
    tell_formula(platform, "LaB6", "LaB6")
    land(SNBL / f"{CAPILLARY}.xye", folder / "LaB6")
    wait_until_settled(platform, LAB6, "mystery")


def curve(platform, name, suffix, version=1):
    """Read a curve back as its columns, as other programs do."""
    lines = file_of(platform, "scattering", name, version, suffix).read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("#L"))
    return np.loadtxt(lines[begin + 1 :]).T


@real
def test_a_pattern_waits_for_its_container_and_becomes_a_pair_distribution(platform, lab6):
    verdict, metadata = result_of(platform, LAB6)
    assert (metadata["composition"], metadata["said_by"]["composition"]) == ("LaB6", "sample")
    assert metadata["background"]["kind"] == "container"
    r, g, _, sigma = curve(platform, LAB6, ".gr")
    # from lanthanum to boron: sqrt((1/2 - 0.1993)^2 + 2 / 4) of a cell of 4.157 Å
    near = (r > 2.8) & (r < 3.3)
    assert r[near][np.argmax(g[near])] == pytest.approx(3.05, abs=0.05)
    assert (sigma[r > 0] > 0).all()
    assert [each["rule"] for each in verdict.reasons] == ["background"]  # there is no monitor


@real
def test_without_a_composition_it_ends_at_the_intensity_and_says_why(platform, lab6):
    verdict, metadata = result_of(platform, "mystery")
    assert metadata["curves"] == ["I(Q)"]
    assert verdict.verdict == "check"
    (why,) = [each["reason"] for each in verdict.reasons if each["rule"] == "composition"]
    assert "ends at I(Q): the composition of the sample is not known" in why
    q, intensity, _ = curve(platform, "mystery", ".iq")
    assert (len(q), intensity.argmax()) == (8455, curve(platform, LAB6, ".iq")[1].argmax())
    folder = file_of(platform, "scattering", "mystery", suffix=".iq").parent
    assert list(folder.glob("*.gr")) == []


@real
def test_a_rerun_with_another_qmax_is_a_new_version(platform, lab6):
    asked = ("--set", "qmax=15", "--set", "window=lorch", "--reason", "less ripple")
    dayseye(platform, "reduce", LAB6, *asked)
    platform.wait_for(lambda: len(platform.runs(LAB6)) == 2, 30)
    wait_until_settled(platform, LAB6)
    first, second = platform.runs(LAB6)
    assert (second.version, second.parent_id, second.reason) == (2, first.id, "less ripple")
    verdict, metadata = result_of(platform, LAB6)
    assert metadata["transform"][0]["qmax_by"] == "recipe"
    assert verdict.quality["qmax_per_angstrom"] == 15
    assert curve(platform, LAB6, ".fq", 2)[0][-1] == pytest.approx(15, abs=0.01)
    assert curve(platform, LAB6, ".fq", 1)[0][-1] > 20


def test_a_pattern_against_who_knows_what_is_quarantined(platform):
    folder = platform.folder / "scattering" / "odd"
    folder.mkdir(parents=True, exist_ok=True)
    x = np.linspace(1, 40, 500)
    np.savetxt(folder / "columns.xy", np.column_stack([x, 100 + 50 * np.sin(x)]))
    why = wait_for_quarantine(platform, "columns")
    assert "does not say what its first column is" in why
    assert why.rstrip().endswith(".")


@real
def test_images_land_before_or_after_their_geometry(platform):
    folder = platform.folder / "scattering" / "CeO2"
    land(DIOPTAS / f"{CERIA}.tif", folder, "early.tif")
    wait_until_it_waits(platform, "early")
    tell_formula(platform, "CeO2", "CeO2")
    land(DIOPTAS / f"{CERIA}.poni", folder)
    wait_until_settled(platform, "early")
    land(DIOPTAS / f"{CERIA}.tif", folder, "late.tif")
    wait_until_settled(platform, "late")
    ring = 2 * np.pi / 5.4115 * np.sqrt(3)  # 111 of ceria
    for name in ("early", "late"):
        _, metadata = result_of(platform, name)
        assert metadata["geometry"]["from"] == [f"{CERIA}.poni"]
        assert metadata["curves"][-1] == "G(r)"
        q, intensity, _ = curve(platform, name, ".iq")
        near = np.abs(q - ring) < 0.1
        assert q[near][np.argmax(intensity[near])] == pytest.approx(ring, abs=0.005)


@real
def test_a_broken_image_is_quarantined_with_a_sentence(platform):
    folder = platform.folder / "scattering" / "CeO2"
    folder.mkdir(parents=True, exist_ok=True)
    whole = (DIOPTAS / f"{CERIA}.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 3])
    why = wait_for_quarantine(platform, "cut")
    assert "cut.tif" in why
    assert why.rstrip().endswith(".")


def plan(name, **changes):
    made = small(ScanPlan(name=name, seed=3))
    return replace(made, **changes).identified()


@pytest.fixture(scope="module")
def heated(platform):
    """Let nickel land while it is heated, with what it needs."""
    folder = platform.folder / "furnace"
    (folder / "Ni.cif").write_text(NI)
    series = plan("heated", frames=8, evolution=Evolution(expansion=0.004))
    series = replace(series, faults=replace(series.faults, dumps=(5,)))
    (folder / "nickel").mkdir()
    poni.write(folder / "nickel", series)
    write_scan(folder / "nickel", series.as_kind("container", "container_1"))
    write_scan(folder / "nickel", series)
    wait_until_settled(platform, "heated")
    return series


def test_a_series_of_images_becomes_one_pair_distribution_for_each(platform, heated):
    verdict, metadata = result_of(platform, "heated")
    true = truth.of(heated)
    left_out = {int(frame) for frame in metadata["left_out"]}
    assert left_out == set(np.flatnonzero(true.bad)) == {5}
    assert metadata["modes"] == ["compatible", "absolute"], metadata["notes"]
    assert metadata["background"]["scaled_by"] == "monitor and absorption"
    cell = verdict.quality["structures"]["Ni"]["a"]["value"]
    assert cell == pytest.approx(true.cells[~true.bad, 0].mean(), abs=0.003)
    with h5py.File(file_of(platform, "furnace", "heated", suffix="heated_series.h5")) as file:
        assert file["entry/gr/G"].shape[0] == 7
        assert list(file["entry/gr/frame"][()]) == [0, 1, 2, 3, 4, 6, 7]
        tops = file["entry/gr/r"][()][file["entry/gr/G"][()].argmax(axis=1)]
    assert tops[-1] > tops[0]  # it grows
    assert [each["rule"] for each in verdict.reasons] == ["frames"]


def structure(name, element, group, a, *sites):
    """Write a cubic structure as a CIF."""
    rows = "".join(f"{element} {x} {y} {z} 0.005\n" for x, y, z in sites)
    cell = NI.replace("3.52\n", f"{a}\n").replace("data_Ni", f"data_{name}")
    return cell.replace("F m -3 m", group).replace("Ni 0 0 0 0.005\n", rows)


def test_a_rerun_tells_of_phases_and_of_neighbours(platform, heated):
    folder = platform.folder / "furnace"
    (folder / "ferrite.cif").write_text(structure("ferrite", "Fe", "I m -3 m", 2.87, (0, 0, 0)))
    (folder / "austenite.cif").write_text(structure("austenite", "Fe", "F m -3 m", 3.59, (0, 0, 0)))
    steel = plan("steel", frames=5).of(materials.FERRITE, materials.AUSTENITE)
    (folder / "iron").mkdir()
    write_scan(folder / "iron", steel)
    wait_until_settled(platform, "steel")
    asked = ["mixture=true", "liquid=true", "multiple_scattering=true", "fit_to=10"]
    asked.append('structures=["ferrite.cif", "austenite.cif"]')
    options = [word for each in asked for word in ("--set", each)]
    dayseye(platform, "reduce", "steel", *options, "--reason", "two phases")
    platform.wait_for(lambda: len(platform.runs("steel")) == 2, 30)
    wait_until_settled(platform, "steel")
    verdict, metadata = result_of(platform, "steel")
    true, found = truth.of(steel), verdict.quality["phases"]
    for frame, name in ((0, "first"), (-1, "last")):
        share = found[name]["austenite"]["value"]
        # a phase that is not there takes some per cent of what the model of the other leaves
        assert share == pytest.approx(true.fractions[frame, 1], abs=0.12), metadata["notes"]
    shell = verdict.quality["liquid"]["first_peak_angstrom"]["value"]
    assert 2.4 < shell < 2.65  # of both phases
    assert verdict.quality["absolute_double_share"] > 0.005
    place = file_of(platform, "furnace", "steel", 2, suffix="steel_phases.txt").parent
    assert {each.suffix for each in place.iterdir()} >= {".gr", ".gofr", ".tofr", ".rdf", ".png"}
    assert (place / "phases.png").exists() and (place / "liquid.png").exists()


def test_a_result_shows_what_it_found(platform, heated):
    shown = platform.api.get(f"/api/datasets/{platform.dataset('heated').id}").json()["result"]
    pictures = {each["name"]: each["url"] for each in shown["previews"]}
    expected = {"heat_map", "pair_distribution", "structure_function", "intensity", "image"}
    assert set(pictures) >= expected | {"similarity", "components"}
    for url in pictures.values():
        answer = platform.api.get(url)
        assert answer.headers["content-type"] == "image/png"
        assert len(answer.content) > 10_000
    (run,) = platform.runs("heated")
    flow_run = platform.api.get(f"/api/runs/{run.id}").json()["flow_run_id"]
    where = {"flow_runs": {"id": {"any_": [flow_run]}}}
    artifacts = platform.prefect.post("/artifacts/filter", json=where).json()
    kinds = {artifact["type"]: artifact for artifact in artifacts}
    assert set(kinds) >= {"progress", "image", "table", "markdown"}
    assert httpx.get(kinds["image"]["data"]).headers["content-type"] == "image/png"
    table = {row["figure"]: row["value"] for row in json.loads(kinds["table"]["data"])}
    assert table["composition"] == "Ni"
    assert table["frames"] == "7 of 8"


def test_the_form_of_the_flow_has_titles_and_choices(platform):
    deployment = platform.prefect.get("/deployments/name/pdf-reduction/pdf").raise_for_status()
    schema = deployment.json()["parameter_openapi_schema"]
    fields = schema["definitions"]["Recipe"]["properties"]
    assert [name for name, field in fields.items() if not field.get("title")] == []
    assert fields["qmax"]["title"] == "Q to (1/Å)"
    assert fields["window"]["enum"] == ["none", "lorch", "soper", "hann"]
