import numpy as np

from infra.simulator.mx import night


def test_a_night_has_crystals_and_an_empty_loop():
    jobs = list(night.night(3))
    assert [job.scan.name for job in jobs] == ["tetragonal_0003", "orthorhombic_0003", "loop_0003"]
    assert [job.scan.refused for job in jobs] == [False, False, True]
    assert len({job.plan.uid for job in jobs}) == 3
    assert jobs[1].plan.claims.beam_centre != (0.0, 0.0)


def test_its_truth_is_what_its_sweeps_are_made_of():
    expected = night.truths(1)
    for job in night.night(1):
        assert expected[job.plan.name].space_group == job.plan.crystal.space_group
        np.testing.assert_array_equal(expected[job.plan.name].cell, job.plan.crystal.cell)
