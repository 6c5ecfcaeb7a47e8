"""Choice of implementations, records, and agreement of all implementations with their reference."""

import copy
import dataclasses
import importlib
import pkgutil
import threading

import array_api_strict
import numpy as np
import pytest

import tasks.ct
import tasks.mx
import tasks.pdf
import tasks.xas
from tasks.algorithm import ALGORITHMS, Engine, Record, algorithm, current_engine, merge_records
from tasks.arrays import is_array, to_host
from tasks.resources import Resources

for package in (tasks.ct, tasks.mx, tasks.pdf, tasks.xas):
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)

CPU = Resources(cores=1)
FOUND = Resources.detect()


def cases():
    return [
        pytest.param(each, case, id=f"{each.name}-{case}")
        for each in list(ALGORITHMS.values())
        for case in each.cases
    ]


def implementations():
    return [
        pytest.param(each, name, case, id=f"{each.name}-{name}-{case}")
        for each in list(ALGORITHMS.values())
        for name in each.implementations
        if name != "reference"
        for case in each.cases
    ]


def parts(result):
    """Return the arrays of a result: itself, or those that a dataclass of arrays holds."""
    if dataclasses.is_dataclass(result):
        return [getattr(result, field.name) for field in dataclasses.fields(result)]
    return [result]


def holds_arrays(result):
    return all(is_array(part) for part in parts(result))


def compare(result, expected, rtol):
    for mine, wanted in zip(parts(result), parts(expected), strict=True):
        compare_arrays(to_host(mine), to_host(wanted), rtol)


def compare_arrays(result, expected, rtol):
    assert result.shape == expected.shape
    assert np.array_equal(np.isfinite(result), np.isfinite(expected))
    known = np.isfinite(expected)
    apart = np.abs(result[known].astype(complex) - expected[known])
    assert apart.max(initial=0) <= rtol * np.abs(expected[known]).max(initial=0)


@pytest.mark.parametrize(("tested", "name", "case"), implementations())
def test_implementation_agrees_with_the_reference(tested, name, case):
    args, kwargs = tested.cases[case]()
    before = copy.deepcopy((args, kwargs))
    chosen = tested.implementations[name]
    bound = tested.signature.bind(*args, **kwargs)
    bound.apply_defaults()
    if reason := chosen.why_not(FOUND, bound):
        pytest.skip(f"{tested.name} by {name} cannot run here: {reason}")
    with Engine(CPU).active():
        expected = tested.implementations["reference"].function(*args, **kwargs)
    with Engine(FOUND).active():
        compare(chosen.function(*args, **kwargs), expected, tested.rtol)
    for value, copied in zip(args, before[0], strict=True):
        np.testing.assert_array_equal(
            value, copied, "an implementation must not write to its input"
        )


@pytest.mark.parametrize(("tested", "case"), cases())
def test_reference_needs_the_array_api_standard_alone(tested, case):
    args, kwargs = tested.cases[case]()
    reference = tested.implementations["reference"].function
    strict = [array_api_strict.asarray(value) if is_array(value) else value for value in args]
    result = reference(*strict, **kwargs)
    expected = reference(*args, **kwargs)
    if holds_arrays(expected):
        strict_array = array_api_strict._array_object.Array
        assert all(isinstance(part, strict_array) for part in parts(result))
        host = [np.asarray(part) for part in parts(result)]
        for mine, wanted in zip(host, parts(expected), strict=True):
            compare_arrays(mine, np.asarray(wanted), max(tested.rtol, 1e-5))
    else:
        assert result == expected


def test_every_algorithm_with_implementations_has_a_case():
    assert all(each.cases for each in ALGORITHMS.values())


@pytest.fixture
def double():
    @algorithm("test.double", version="3")
    def double(values, times: int = 2):
        return values * times

    yield double
    del ALGORITHMS["test.double"]


def test_the_highest_priority_that_can_run_is_taken_and_the_rest_explained(double):
    double.implementation("gpu", needs_gpu=True, priority=90)(lambda values, times=2: values)
    double.implementation("absent", requires=("no_such_module",), priority=80)(
        lambda values, times=2: values
    )
    double.implementation("fast", priority=20)(lambda values, times=2: times * values)
    engine = Engine(CPU)
    with engine.active():
        assert double(np.ones(2)).tolist() == [2, 2]
    (record,) = engine.records
    assert record.implementation == "fast"
    assert record.rejected == {"gpu": "no GPU", "absent": "no_such_module not installed"}
    assert (record.algorithm, record.version, record.device) == ("test.double", "3", "cpu")
    assert record.parameters == {"times": 2}
    assert record.packages["numpy"] == np.__version__


def test_a_preference_goes_before_priority(double):
    double.implementation("fast", priority=20)(lambda values, times=2: values)
    engine = Engine(CPU, prefer={"test.double": "reference"})
    with engine.active():
        assert double(2) == 4
    assert engine.records[0].implementation == "reference"


def test_too_little_gpu_memory_is_a_reason(double):
    double.implementation("gpu", needs_gpu=True, gpu_bytes=lambda values, times=2: 10**9)(
        lambda values, times=2: values
    )
    gpu = Resources(gpus=("small",), gpu_memory=10**6)
    able, rejected = Engine(gpu).choose(double, double.signature.bind(1))
    assert [candidate.name for candidate in able] == ["reference"]
    assert rejected["gpu"] == "needs 1,000,000,000 bytes of GPU memory, 1,000,000 are free"


@pytest.mark.parametrize("error", [MemoryError("full"), ImportError("no libcuda")])
def test_the_next_one_steps_in_when_memory_or_a_library_fails(double, error):
    def fails(values, times=2):
        raise error

    double.implementation("fragile", priority=50)(fails)
    engine = Engine(CPU)
    with engine.active():
        assert double(3) == 6
    assert engine.records[0].rejected == {"fragile": f"{type(error).__name__}: {error}"}


def test_other_errors_are_not_hidden_by_a_fallback(double):
    def wrong(values, times=2):
        raise ValueError("a fault of the program")

    double.implementation("wrong", priority=50)(wrong)
    with Engine(CPU).active(), pytest.raises(ValueError, match="fault of the program"):
        double(3)


def test_an_implementation_must_have_the_parameters_of_the_domain(double):
    with pytest.raises(TypeError, match="'other' differ"):
        double.implementation("other")(lambda values, times=3: values)


def test_equal_calls_are_summed(double):
    engine = Engine(CPU)
    with engine.active():
        double(1)
        double(2)
        double(2, times=5)
    assert [(record.calls, record.parameters) for record in engine.records] == [
        (1, {"values": 1, "times": 2}),
        (1, {"values": 2, "times": 2}),
        (1, {"values": 2, "times": 5}),
    ]
    with engine.active():
        double(2)
    assert [record.calls for record in engine.records] == [1, 2, 1]


def test_records_of_several_workers_merge():
    record = Record("a", "1", "reference", "cpu", {}, {"n": 1}, {}, seconds=1.5)
    other = Record("a", "1", "reference", "cpu", {}, {"n": 2}, {}, seconds=1.0)
    merged = merge_records([record, other, record])
    assert [(each.seconds, each.calls) for each in merged] == [(3.0, 2), (1.0, 1)]
    assert record.calls == 1


def test_an_engine_is_active_in_its_own_thread_only():
    engine, seen = Engine(CPU), []
    with engine.active():
        thread = threading.Thread(target=lambda: seen.append(current_engine()))
        thread.start()
        thread.join()
        assert current_engine() is engine
    assert seen[0] is not engine
    assert current_engine() is not engine


def test_names_are_unique(double):
    with pytest.raises(ValueError, match=r"already an algorithm 'test.double'"):
        algorithm("test.double")(lambda values: values)
