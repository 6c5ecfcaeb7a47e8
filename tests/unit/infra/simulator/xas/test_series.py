from dataclasses import replace

import numpy as np
import pytest

from infra.simulator.xas import kinetics, physics, truth
from infra.simulator.xas.cases import CASES, dead_time, over_absorbed
from infra.simulator.xas.plan import NO_FAULTS, Detectors, Faults, Scan, SeriesPlan, perfect
from infra.simulator.xas.series import BLOCK, Series
from infra.simulator.xas.standards import load
from infra.simulator.xas.write import standard_plan

PLAN = SeriesPlan(sweeps=100, scan=Scan(points=300))
MANY = Faults(bubbles=0.05, dumps=0.05, no_beam=0.05, closed=0.05, refills=0.05, spikes=0.1)


def measured(plan):
    blocks = list(Series(plan).blocks())
    return {name: np.concatenate([b.signals[name] for b in blocks]) for name in blocks[0].signals}


def naive_norm(energy, absorption, e0):
    """Normalise one spectrum on a grid of its own choice, as a first-year student would."""
    order = np.argsort(energy)
    energy, absorption = energy[order], absorption[order]
    above = energy - e0
    before, behind = (above > -140) & (above < -30), (above > 100) & (above < 600)
    rest = absorption - np.polyval(np.polyfit(above[before], absorption[before], 1), above)
    step = np.polyval(np.polyfit(above[behind], rest[behind], 2), 0.0)
    return np.interp(np.arange(e0 - 20, e0 + 80, 0.5), energy, rest / step)


def naive_fractions(plan):
    """Fit the standards of a plan to its series."""
    spectra = []
    for number in range(len(plan.names)):
        pure = measured(standard_plan(plan, number))
        mu = np.log(pure["i0"][0] / pure["itrans"][0])
        spectra.append(naive_norm(pure["energy"][0], mu, plan.e0))
    signals = measured(plan)
    mu = np.log(signals["i0"] / signals["itrans"])
    norms = [naive_norm(e, m, plan.e0) for e, m in zip(signals["energy"], mu, strict=True)]
    return np.linalg.lstsq(np.array(spectra).T, np.array(norms).T)[0].T


# -- the same again ----------------------------------------------------------------------------


def test_a_seed_draws_the_same_series_and_another_seed_another():
    first, again, other = (measured(replace(PLAN, seed=seed)) for seed in (3, 3, 4))
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
        assert not np.array_equal(values, other[name])


def test_a_sweep_is_the_same_however_it_is_asked_for():
    whole = measured(PLAN)
    block = Series(PLAN).block(1)
    assert block.first == BLOCK
    np.testing.assert_array_equal(block.signals["itrans"], whole["itrans"][BLOCK:])
    pieces = list(Series(PLAN).blocks(7))
    assert [len(piece) for piece in pieces[:10]] == [7] * 9 + [1]
    np.testing.assert_array_equal(
        np.concatenate([piece.signals["i0"] for piece in pieces]), whole["i0"]
    )


# -- composition -------------------------------------------------------------------------------


def test_fractions_follow_the_rates_and_sum_to_one():
    time = np.linspace(0, 1, 2001)
    amounts = kinetics.chain((6.0, 4.0, 2.5), time)
    np.testing.assert_allclose(amounts.sum(axis=1), 1, atol=1e-12)
    assert amounts.min() > -1e-12
    assert amounts[0].tolist() == pytest.approx([1, 0, 0, 0])
    slopes = np.gradient(amounts, time, axis=0)[1:-1]
    a, b, c, _ = amounts[1:-1].T
    expected = np.stack([-6 * a, 6 * a - 4 * b, 4 * b - 2.5 * c, 2.5 * c], axis=1)
    np.testing.assert_allclose(slopes, expected, atol=1e-4)


def test_a_naive_analysis_finds_the_fractions_of_a_perfect_series():
    plan = perfect(replace(PLAN, sweeps=20, scan=Scan(points=1000)))
    np.testing.assert_allclose(naive_fractions(plan), truth.of(plan).fractions, atol=1e-3)


def test_drift_alone_misleads_the_naive_analysis():
    plan = perfect(replace(PLAN, sweeps=20, scan=Scan(points=1000)))
    found = naive_fractions(replace(plan, scale=replace(plan.scale, offset=0.5)))
    assert np.sqrt(np.mean((found - truth.of(plan).fractions) ** 2)) > 0.01


def test_a_missing_standard_leaves_a_residual():
    plan = perfect(CASES["missing"](PLAN))
    known = truth.of(plan)
    assert known.names == ("Fe2O3", "FeS2", "FeO", "Fe")
    assert known.missing == ("FeS2",)
    assert 0.2 < known.fractions[:, 1].max() < 0.6


def test_heat_breaks_the_isosbestic_points():
    energy = np.arange(7100.0, 7300.0, 0.5)
    heated = replace(CASES["heated"](PLAN), names=("Fe",), rates=())
    standards, ones = load(["Fe"], None, heated.e0), np.ones((1, 1))
    cold, warm = (
        physics.composition(standards, ones, np.array([warmth]), heated, energy[None])[0]
        for warmth in (0.0, 1.0)
    )
    np.testing.assert_array_equal(cold, standards[0].at(energy))
    tops = [energy[np.argmax(np.where(energy > 7210, one, 0))] for one in (cold, warm)]
    assert tops[0] - tops[1] == pytest.approx(0.0199 * (tops[0] - 7112), abs=0.6)


# -- energy ------------------------------------------------------------------------------------


def test_the_recorded_energy_is_off_by_what_the_truth_says():
    plan = replace(PLAN, scale=replace(PLAN.scale, reading=0.0))
    known = truth.of(plan)
    true = physics.true_energy(plan.scan, plan.e0, known.upwards, known.phase)
    off = measured(plan)["energy"] - true
    np.testing.assert_allclose(off, np.broadcast_to(known.offset[:, None], off.shape), atol=1e-9)
    assert known.offset[1] - known.offset[0] == pytest.approx(-0.24, abs=0.2)
    assert np.ptp(known.drift) > 0.4


def test_sweeps_go_up_and_down_as_a_cosine():
    energy = measured(perfect(PLAN))["energy"]
    assert (np.diff(energy[0::2], axis=1) > 0).all()
    assert (np.diff(energy[1::2], axis=1) < 0).all()
    assert energy.min() == pytest.approx(7112 - 152, abs=0.1)
    assert energy.max() == pytest.approx(7112 + 788, abs=0.1)
    steps = np.diff(energy[0])
    assert steps[150] > 50 * steps[0]


def test_a_stretched_scale_is_right_at_the_edge_alone():
    plain, stretched = measured(perfect(PLAN)), measured(CASES["stretched"](perfect(PLAN)))
    off = (stretched["energy"] - plain["energy"])[0]
    np.testing.assert_allclose(off, 2e-3 * (plain["energy"][0] - 7112), atol=1e-9)


# -- counts ------------------------------------------------------------------------------------


def test_counts_scatter_as_photons_do():
    calm = perfect(replace(PLAN, sweeps=2000, fractions=(0.2, 0.3, 0.5), scan=Scan(points=40)))
    noisy = replace(
        calm,
        beam=replace(calm.beam, wobble=0.0, counts=1e4),
        sample=replace(calm.sample, loss=0.0),
        detectors=replace(calm.detectors, noise=True, electronic=20.0, dark=50.0),
    )
    signals = measured(noisy)
    for name in ("i0", "itrans", "irefer", "ifluor"):
        counts = signals[name][::2]
        mean = counts.mean(axis=0) - 50
        np.testing.assert_allclose(counts.var(axis=0), mean + 400, rtol=0.25)
        assert (counts.var(axis=0) / (mean + 400)).mean() == pytest.approx(1, abs=0.02)


def test_the_edge_step_shrinks():
    signals = measured(perfect(replace(PLAN, fractions=(0.0, 0.0, 1.0))))
    mu = np.log(signals["i0"] / signals["itrans"])
    near, far = (np.argmin(np.abs(signals["energy"][0] - e)) for e in (7090.0, 7160.0))
    steps = (mu[:, far] - mu[:, near])[::2]
    known = truth.of(PLAN).edge_step[::2]
    assert steps[-1] / steps[0] == pytest.approx(known[-1] / known[0], abs=0.01)
    assert known[-1] / known[0] == pytest.approx(0.75, abs=0.01)


def test_the_reference_is_the_foil_at_all_times():
    signals = measured(perfect(PLAN))
    mu = np.log(signals["itrans"] / signals["irefer"])
    foil = naive_norm(signals["energy"][0], mu[0], PLAN.e0)
    for sweep in (0, 50, 99):
        found = naive_norm(signals["energy"][sweep], mu[sweep], PLAN.e0)
        np.testing.assert_allclose(found, foil, atol=1e-6)
    pure = Series(perfect(replace(PLAN, names=("Fe",), rates=(), sweeps=1))).block(0).signals
    metal = naive_norm(pure["energy"][0], np.log(pure["i0"] / pure["itrans"])[0], PLAN.e0)
    np.testing.assert_allclose(foil, metal, atol=0.02)


def test_a_glitch_does_not_cancel_where_the_chambers_are_not_linear():
    quiet = perfect(replace(PLAN, scan=Scan(points=4000, stop=200.0), fractions=(0, 0, 1)))
    glitchy = replace(quiet, beam=PLAN.beam)
    crooked = replace(glitchy, detectors=replace(quiet.detectors, nonlinearity=0.05))
    smooth, cancelled, left = (
        np.log(block["i0"] / block["itrans"])[0]
        for block in (Series(plan).block(0).signals for plan in (quiet, glitchy, crooked))
    )
    np.testing.assert_allclose(cancelled, smooth, atol=1e-9)
    energy = Series(quiet).block(0).signals["energy"][0]
    where = np.argmin(np.abs(energy - truth.of(crooked).glitches[0]))
    change = left - smooth
    assert abs(change[where] - change[where + 60]) > 0.005


# -- fluorescence ------------------------------------------------------------------------------


def test_fluorescence_is_over_absorbed_and_alpha_puts_it_right():
    plan = over_absorbed(perfect(replace(PLAN, fractions=(1, 0, 0), scan=Scan(points=1000))))
    known = truth.of(plan)
    alpha = known.over_absorption["alpha"]
    assert known.over_absorption["formula"] == "Fe2O3"
    assert 0.2 < alpha < 1.5
    signals = Series(plan).block(0).signals
    grid = np.arange(plan.e0 - 20, plan.e0 + 80, 0.5)
    (standard,) = load(["Fe2O3"], None, plan.e0)
    true = standard.at(grid)
    seen = (signals["ifluor"] / signals["i0"])[0] / plan.detectors.efficiency * (1 + alpha)
    norm = np.interp(grid, signals["energy"][0], seen)
    assert norm.max() < true.max() - 0.1
    np.testing.assert_allclose(norm * alpha / (alpha + 1 - norm), true, atol=0.05)


def test_dead_time_is_that_of_the_non_paralysable_law():
    plan = dead_time(perfect(replace(PLAN, sweeps=4)))
    signals = measured(plan)
    diode = measured(replace(plan, detectors=replace(plan.detectors, channels=0)))["ifluor"]
    for channel in range(1, 5):
        taken, given = signals[f"icr_{channel}"], signals[f"ocr_{channel}"]
        np.testing.assert_allclose(given, taken / (1 + taken * plan.detectors.dead_time))
        assert 0.15 < 1 - (given / taken).min() < 0.6
        right = signals[f"ifluor_{channel}"] * taken / given
        np.testing.assert_allclose(right, diode / 4, rtol=1e-9)
    assert "ifluor" not in signals


# -- faults ------------------------------------------------------------------------------------


def test_faults_do_to_the_counts_what_the_truth_says():
    plan = replace(PLAN, faults=MANY)
    faulty, good = measured(plan), measured(replace(plan, faults=NO_FAULTS))
    known = truth.of(plan)
    assert {fault.kind for fault in known.faults} == {
        *("bubble", "dump", "no_beam", "closed", "refill", "spike")
    }
    assert known.bad.sum() == 20
    for fault in known.faults:
        here = (fault.sweep, slice(fault.first, fault.first + fault.points))
        before, behind, emitted = (
            faulty[name][here].mean() / good[name][here].mean()
            for name in ("i0", "itrans", "ifluor")
        )
        if fault.kind in ("dump", "no_beam"):
            assert abs(before) < 0.01
        elif fault.kind == "refill":
            assert before == pytest.approx(0.85, abs=0.02)
        else:
            assert before == pytest.approx(1, abs=0.01)
        if fault.kind == "closed":
            assert max(abs(behind), abs(emitted)) < 0.01
        if fault.kind == "bubble":
            assert behind == pytest.approx(0.3, abs=0.01)
        if fault.kind == "spike":
            assert behind > 2.5 or behind < 0.4


def test_sweeps_without_faults_are_whole():
    plan = replace(PLAN, faults=MANY)
    known = truth.of(plan)
    signals = measured(plan)
    touched = [fault.sweep for fault in known.faults]
    whole = np.setdiff1d(np.arange(PLAN.sweeps), touched)
    assert len(whole) > 60
    assert signals["i0"][whole].min() > 5e5
    assert signals["itrans"][whole].min() > 2e4


# -- truth and cases ---------------------------------------------------------------------------


def test_truth_is_read_back_as_it_was(tmp_path):
    plan = replace(PLAN, faults=MANY).identified()
    path = truth.write(tmp_path, plan)
    found, known = truth.read(path), truth.of(plan)
    assert path.name == "series_0001.json"
    assert found.faults == known.faults
    assert found.uid == plan.uid
    for name in ("fractions", "drift", "offset", "edge_step", "upwards", "bad", "phase"):
        np.testing.assert_array_equal(getattr(found, name), getattr(known, name))


@pytest.mark.parametrize("case", CASES)
def test_every_case_can_be_measured(case):
    plan = CASES[case](replace(PLAN, sweeps=10))
    signals = measured(plan)
    assert all(np.isfinite(values).all() for values in signals.values())
    above = signals["energy"] - plan.e0
    assert above.min() > {"truncated": -17, "xanes": -62}.get(case, -155)
    assert above.max() < {"xanes": 122}.get(case, 792)
    assert truth.of(plan).claimed_element == ("Cu" if case == "wrong-element" else "Fe")


def test_the_defaults_have_the_noise_of_a_good_beamline():
    plan = replace(PLAN, faults=NO_FAULTS, fractions=(1, 0, 0), detectors=Detectors())
    signals = measured(plan)
    mu = np.log(signals["i0"] / signals["itrans"])[-1]
    order = np.argsort(signals["energy"][-1])
    behind = mu[order][-120:-20]
    noise = np.std(np.diff(behind, 2)) / np.sqrt(6)
    assert 0.001 < noise < 0.004
