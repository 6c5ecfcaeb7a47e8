"""
One operation, several interchangeable implementations, chosen at run time and recorded.

The idea is that of IHEP's Daisy framework (Y. Hu et al., EPJ Web of Conferences 251, 04020 (2021)):
an *algorithm* states an operation of the domain; its signature is the contract and its body the
*reference*, written against the array API standard so that it runs on any array library. Other
*implementations* may stand in for it. An `Engine` picks one for each call by what is installed,
what the machine has, where the data already are and what the user prefers, and keeps a `Record`
of what ran and why the others did not.

::

    @algorithm("ct.minus_log", version="1", rtol=1e-5)
    def minus_log(transmission: Array, floor: float = 1e-6) -> Array: ...

    @minus_log.implementation("cupy", requires=("cupy",), needs_gpu=True, priority=50)
    def _(transmission: Array, floor: float = 1e-6) -> Array: ...

    with Engine(Resources.detect()).active() as engine:
        minus_log(transmission)
    engine.records

Two rules make implementations interchangeable: the result comes back where the input was (host or
GPU), and no input is written to, so that the next implementation can take over when one fails.
Packages outside join through the entry-point group ``dayseye.algorithms``: each entry point names
a module that, once imported, adds its algorithms or implementations.
"""

import functools
import importlib.metadata
import importlib.util
import inspect
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from tasks.arrays import gpu_module, is_array, is_on_gpu
from tasks.records import Record, merge_records, package_versions, plain
from tasks.resources import Resources

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Engine",
    "Implementation",
    "Record",
    "algorithm",
    "current_engine",
    "load_plugins",
    "merge_records",
]

P = ParamSpec("P")
R = TypeVar("R")
Inputs = tuple[tuple[Any, ...], dict[str, Any]]

ALGORITHMS: dict[str, "Algorithm[..., Any]"] = {}
"""Every algorithm that has been imported, by name."""


@dataclass(frozen=True)
class Implementation:
    """
    One way to carry out an algorithm.

    Attributes
    ----------
    name
        Short name, unique within the algorithm.
    function
        The code; same parameters as the reference.
    requires
        Modules that must be importable.
    needs_gpu
        Runs on a GPU; takes arrays in host memory too and returns the result to where they were.
    portable
        Works on arrays of any library, so also on those that lie on a GPU.
    priority
        The highest that can run is taken; the reference has 0.
    gpu_bytes
        Called with the arguments, says how much GPU memory the call needs.
    """

    name: str
    function: Callable[..., Any]
    requires: tuple[str, ...] = ()
    needs_gpu: bool = False
    portable: bool = False
    priority: int = 10
    gpu_bytes: Callable[..., int] | None = None

    def why_not(self, resources: Resources, arguments: inspect.BoundArguments) -> str | None:
        """Say why this implementation cannot serve a call, or None if it can."""
        if missing := [name for name in self.requires if importlib.util.find_spec(name) is None]:
            return f"{', '.join(missing)} not installed"
        if self.needs_gpu and not resources.gpus:
            return "no GPU"
        if not (self.needs_gpu or self.portable) and _on_gpu(arguments):
            return "works in host memory, the data are on the GPU"
        if self.gpu_bytes is not None:
            needed = self.gpu_bytes(*arguments.args, **arguments.kwargs)
            if needed > resources.gpu_memory:
                return f"needs {needed:,} bytes of GPU memory, {resources.gpu_memory:,} are free"
        return None


class Algorithm(Generic[P, R]):
    """
    An operation of the domain: a typed signature, a reference body and its implementations.

    Attributes
    ----------
    name, version
        As they stand in the records; the version changes when results change.
    rtol
        How far an implementation may differ from the reference, relative to the largest value.
    cases
        Inputs on which the implementations must agree, by name.
    """

    def __init__(self, function: Callable[P, R], name: str, version: str, rtol: float) -> None:
        if name in ALGORITHMS:
            raise ValueError(f"there is already an algorithm {name!r}")
        self.name, self.version, self.rtol = name, version, rtol
        self.signature = inspect.signature(function)
        self.implementations = {
            "reference": Implementation("reference", function, portable=True, priority=0)
        }
        self.cases: dict[str, Callable[[], Inputs]] = {}
        functools.update_wrapper(self, function)
        ALGORITHMS[name] = self

    def implementation(
        self,
        name: str,
        *,
        requires: tuple[str, ...] = (),
        needs_gpu: bool = False,
        portable: bool = False,
        priority: int = 10,
        gpu_bytes: Callable[..., int] | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Add another body (decorator); it must have the parameters and defaults of the domain."""

        def add(function: Callable[P, R]) -> Callable[P, R]:
            if _parameters(inspect.signature(function)) != _parameters(self.signature):
                raise TypeError(
                    f"{self.name}: the parameters of {name!r} differ from {self.signature}"
                )
            self.implementations[name] = Implementation(
                name, function, requires, needs_gpu, portable, priority, gpu_bytes
            )
            return function

        return add

    def case(self, function: Callable[[], Inputs]) -> Callable[[], Inputs]:
        """Add inputs, as ``(args, kwargs)``, on which all implementations must agree."""
        self.cases[function.__name__] = function
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the best implementation that can, under the engine that is active."""
        return current_engine().run(self, self.signature.bind(*args, **kwargs))


def algorithm(
    name: str, version: str = "1", rtol: float = 1e-5
) -> Callable[[Callable[P, R]], Algorithm[P, R]]:
    """
    Make the decorated function the reference of a new algorithm.

    Parameters
    ----------
    name
        Dotted name, technique first: ``ct.minus_log``.
    version
        Changes whenever results change.
    rtol
        Tolerance of the other implementations, relative to the largest value of the reference.
    """
    return lambda function: Algorithm(function, name, version, rtol)


class Engine:
    """
    Chooses implementations by the resources at hand and keeps the records of what ran.

    It may be shared by threads. It does not cross to other processes: build one on each worker,
    activate it there, and send its records home.

    Parameters
    ----------
    resources
        What may be used; looked up on this machine when left out.
    prefer
        Name of the implementation to take, where it can run, by name of algorithm.
    """

    def __init__(
        self, resources: Resources | None = None, prefer: Mapping[str, str] | None = None
    ) -> None:
        self.resources = resources or Resources.detect()
        self.prefer = dict(prefer or {})
        self._records: list[Record] = []
        self._lock = threading.Lock()

    @property
    def records(self) -> list[Record]:
        """What ran under this engine, equal calls summed."""
        with self._lock:
            return list(self._records)

    @contextmanager
    def active(self) -> Generator["Engine"]:
        """Make this the engine of the calls inside the block, in this thread or task only."""
        token = _active.set(self)
        try:
            yield self
        finally:
            _active.reset(token)

    def choose(
        self, algorithm: Algorithm[..., Any], arguments: inspect.BoundArguments
    ) -> tuple[list[Implementation], dict[str, str]]:
        """
        Rank the implementations that can serve a call.

        Returns
        -------
        able : list of Implementation
            Best first: the preferred one, then those where the data are, then by priority.
        rejected : dict of str
            Why each of the others cannot, by name.
        """
        able: list[Implementation] = []
        rejected: dict[str, str] = {}
        for candidate in algorithm.implementations.values():
            if reason := candidate.why_not(self.resources, arguments):
                rejected[candidate.name] = reason
            else:
                able.append(candidate)
        preferred, on_gpu = self.prefer.get(algorithm.name), _on_gpu(arguments)

        def rank(candidate: Implementation) -> tuple[bool, bool, int]:
            where_data_are = candidate.needs_gpu or not on_gpu
            return candidate.name == preferred, where_data_are, candidate.priority

        return sorted(able, key=rank, reverse=True), rejected

    def run(self, algorithm: Algorithm[..., R], arguments: inspect.BoundArguments) -> R:
        """
        Carry out a call with the best implementation; the next one steps in if memory runs out.

        Raises
        ------
        RuntimeError
            If no implementation can run; the message says why for each.
        """
        arguments.apply_defaults()
        able, rejected = self.choose(algorithm, arguments)
        for chosen in able:
            start = time.perf_counter()
            try:
                result: R = chosen.function(*arguments.args, **arguments.kwargs)
            except (ImportError, MemoryError) as error:  # cupy's OutOfMemoryError is a MemoryError
                rejected[chosen.name] = f"{type(error).__name__}: {error}"
                continue
            self._keep(algorithm, chosen, arguments, rejected, time.perf_counter() - start)
            return result
        raise RuntimeError(f"no implementation of {algorithm.name} can run here: {rejected}")

    def _keep(
        self,
        algorithm: Algorithm[..., Any],
        chosen: Implementation,
        arguments: inspect.BoundArguments,
        rejected: dict[str, str],
        seconds: float,
    ) -> None:
        record = Record(
            algorithm=algorithm.name,
            version=algorithm.version,
            implementation=chosen.name,
            device=_device_name(chosen.needs_gpu or _on_gpu(arguments)),
            packages=package_versions(chosen.requires),
            parameters={
                name: plain(value)
                for name, value in arguments.arguments.items()
                if not is_array(value)
            },
            rejected=rejected,
            seconds=seconds,
        )
        with self._lock:
            self._records = merge_records([*self._records, record])


_active: ContextVar[Engine | None] = ContextVar("active engine", default=None)


def current_engine() -> Engine:
    """Return the active engine, or else a new one for this machine whose records are not kept."""
    return _active.get() or Engine(_machine())


@functools.cache
def _machine() -> Resources:
    return Resources.detect()


def load_plugins() -> list[str]:
    """Import what other packages add under ``dayseye.algorithms``; returns the names found."""
    entry_points = importlib.metadata.entry_points(group="dayseye.algorithms")
    for entry_point in entry_points:
        entry_point.load()
    return sorted(entry_points.names)


def _parameters(signature: inspect.Signature) -> list[tuple[str, Any]]:
    return [(parameter.name, parameter.default) for parameter in signature.parameters.values()]


def _on_gpu(arguments: inspect.BoundArguments) -> bool:
    return any(is_on_gpu(value) for value in arguments.arguments.values())


def _device_name(gpu: bool) -> str:
    if not gpu:
        return "cpu"
    runtime = gpu_module("cupy").cuda.runtime
    number = int(runtime.getDevice())
    name = runtime.getDeviceProperties(number)["name"].decode()
    return f"cuda:{number} {name}"
