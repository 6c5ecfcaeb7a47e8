"""Series of spectra land on a real platform and are reduced to compositions that are true."""

import json
import threading
from dataclasses import replace

import h5py
import httpx
import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Dataset
from infra.simulator.xas import cases, truth
from infra.simulator.xas.plan import NO_FAULTS, Scan, SeriesPlan
from infra.simulator.xas.write import write_series, write_standards
from tasks.io.probe import probe
from tests.system.spectra import dayseye, file_of, result_of, wait_until_settled

SERIES = SeriesPlan(name="redox", sweeps=60, scan=Scan(points=1000), seed=7)
SHORT = SeriesPlan(name="short", sweeps=5, scan=Scan(points=1000), faults=NO_FAULTS, seed=8)


@pytest.fixture(scope="module")
def library(platform):
    """Keep the standards of the simulated reduction in a library."""
    folder = platform.folder / "redox standards"
    folder.mkdir()
    write_standards(folder, SERIES)
    dayseye(platform, "library", "add", "redox", str(folder))


@pytest.fixture(scope="module")
def simulated(platform, library):
    """Let simulated series land at once, one of them growing; return their plans by name."""
    folder = platform.folder / "kinetics"
    plans = {
        "redox": (SERIES, "quick", 0.0),
        "stream": (replace(SHORT, name="stream", sweeps=12), "qex", 0.0),
        "claimed": (cases.wrong_element(replace(SHORT, name="claimed")), "quick", 0.0),
        "growing": (replace(SHORT, name="growing", sweeps=3), "bliss", 12.0),
    }
    plans = {name: (plan.identified(), form, s) for name, (plan, form, s) in plans.items()}
    growing = []
    for plan, form, seconds in plans.values():
        arguments = {"args": (folder, plan, form), "kwargs": {"seconds": seconds}}
        growing.append(threading.Thread(target=write_series, daemon=True, **arguments))
        growing[-1].start()
    yield {name: plan for name, (plan, _, _) in plans.items()}
    for writer in growing:
        writer.join()


def fractions_are_true(platform, plan, kept=slice(None)):
    """Compare the composition sweep by sweep with the truth, and with its own uncertainties."""
    true = truth.of(plan)
    with h5py.File(file_of(platform, "kinetics", plan.name)) as file:
        group = file["entry/composition"]
        names = [name.decode() for name in group["standards"][()]]
        found, sigma = group["fractions"][()], group["fractions_errors"][()]
    order = [names.index(name) for name in true.names]
    off = found[kept][:, order] - true.fractions[kept]
    assert np.sqrt(np.mean(off**2)) < 0.02
    return np.mean(np.abs(off) < 2 * sigma[kept][:, order]) > 0.9


def test_a_quick_series_is_reduced_to_its_composition(platform, simulated):
    wait_until_settled(platform, "redox")
    verdict, metadata = result_of(platform, "redox")
    true = truth.of(simulated["redox"])
    left_out = {int(sweep) for sweep in metadata["left_out"]}
    assert left_out == set(np.flatnonzero(true.bad)), verdict.reasons
    assert fractions_are_true(platform, simulated["redox"], ~true.bad)
    with h5py.File(file_of(platform, "kinetics", "redox")) as file:
        shift = file["entry/sweeps/energy_shift"][()]
    kept = ~true.bad
    # the foil tells where each sweep's energy is off, to one constant for all
    apart = shift[kept] + true.offset[kept]
    assert np.std(apart) < 0.03
    assert metadata["standards"]["library"] == "redox"
    assert verdict.quality["energy_drift_ev"] == pytest.approx(np.ptp(true.offset[kept]), abs=0.15)


def test_a_series_shows_what_it_found(platform, simulated):
    wait_until_settled(platform, "redox")
    shown = platform.api.get(f"/api/datasets/{platform.dataset('redox').id}").json()["result"]
    pictures = {each["name"]: each["url"] for each in shown["previews"]}
    assert set(pictures) >= {"spectrum", "sweeps", "exafs", "composition", "combination"}
    for url in pictures.values():
        answer = platform.api.get(url)
        assert answer.headers["content-type"] == "image/png"
        assert len(answer.content) > 10_000
    (run,) = platform.runs("redox")
    flow_run = platform.api.get(f"/api/runs/{run.id}").json()["flow_run_id"]
    where = {"flow_runs": {"id": {"any_": [flow_run]}}}
    artifacts = platform.prefect.post("/artifacts/filter", json=where).json()
    kinds = {artifact["type"]: artifact for artifact in artifacts}
    assert set(kinds) >= {"progress", "image", "table", "markdown"}
    assert httpx.get(kinds["image"]["data"]).headers["content-type"] == "image/png"
    table = {row["figure"]: row["value"] for row in json.loads(kinds["table"]["data"])}
    assert table["element and edge"] == "Fe K"
    assert "by the Fe foil (kraft)" in table["energy scale"]


def test_a_stream_is_cut_at_its_turns(platform, simulated):
    wait_until_settled(platform, "stream")
    _, metadata = result_of(platform, "stream")
    assert (metadata["sweeps"], metadata["left_out"]) == (12, {})
    assert fractions_are_true(platform, simulated["stream"])


def test_a_wrong_element_in_the_metadata_is_a_check(platform, simulated):
    wait_until_settled(platform, "claimed")
    verdict, metadata = result_of(platform, "claimed")
    assert verdict.verdict == "check"
    (reason,) = [each["reason"] for each in verdict.reasons if each["rule"] == "element"]
    assert "The file says Cu K" in reason
    assert metadata["element"] == "Fe"


def test_every_scan_of_a_growing_file_is_reduced_once(platform, simulated):
    names = [f"growing-{number}.1" for number in (1, 2, 3)]
    wait_until_settled(platform, *names)
    for name in names:
        (run,) = platform.runs(name)
        verdict, _ = result_of(platform, name)
        assert run.version == 1
        assert verdict.quality["sweeps"] == 1
        assert set(verdict.quality["composition"]) == set(SHORT.names)
    with Session(platform.engine) as session:
        named = session.scalars(
            select(Dataset.name).where(Dataset.kind == "raw", Dataset.name.startswith("growing"))
        ).all()
    assert sorted(named) == names


def test_a_rerun_with_other_parameters_is_a_new_version(platform, simulated):
    wait_until_settled(platform, "redox")
    before, metadata = result_of(platform, "redox")
    asked = ("--set", "nnorm=1", "--set", "kmax=9", "--set", "mback=true")
    asked += ("--reason", "a line will do")
    dayseye(platform, "reduce", "redox", *asked)
    platform.wait_for(lambda: len(platform.runs("redox")) == 2, 30)
    wait_until_settled(platform, "redox")
    first, second = platform.runs("redox")
    assert (second.version, second.parent_id, second.reason) == (2, first.id, "a line will do")
    after, changed = result_of(platform, "redox")
    assert (metadata["windows_ev"]["nnorm"], changed["windows_ev"]["nnorm"]) == (2, 1)
    assert after.quality["edge_step"] != before.quality["edge_step"]
    assert after.quality["e0_ev"] == before.quality["e0_ev"]
    with h5py.File(file_of(platform, "kinetics", "redox", 2)) as file:
        assert file["entry/chi_r/kmax"][()] == 9
        assert np.isfinite(file["entry/mback/norm"][()]).all()
    assert after.quality["edge_step_mback"] == pytest.approx(after.quality["edge_step"], rel=0.05)
    assert "edge_step_mback" not in before.quality


def test_the_result_opens_as_an_athena_project(platform, simulated):
    wait_until_settled(platform, "redox")
    verdict, _ = result_of(platform, "redox")
    entries = probe(file_of(platform, "kinetics", "redox", suffix=".prj"), technique="xas")
    assert len(entries) == 1 + verdict.quality["sweeps"]
    assert entries[0].metadata["element"] == "Fe"
    assert [each.problem for each in entries if each.problem] == []


def test_the_form_of_the_flow_has_titles_and_choices(platform):
    deployment = platform.prefect.get("/deployments/name/xas-reduction/xas").raise_for_status()
    schema = deployment.json()["parameter_openapi_schema"]
    recipe = schema["definitions"]["Recipe"]
    assert recipe["title"] == "XAS recipe"
    fields = recipe["properties"]
    assert [name for name, field in fields.items() if not field.get("title")] == []
    assert fields["kmax"]["title"] == "k to (1/Å)"
    assert fields["fit_on"]["enum"] == ["norm", "flat", "derivative"]
    assert "Geometry" in schema["definitions"]
