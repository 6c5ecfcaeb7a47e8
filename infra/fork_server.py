"""The fork server: a process with all imports done, from which runs are forked.

This module is light, for every fork imports it again before it finds everything else loaded.
"""

import importlib
import multiprocessing
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from typing import Any

PRELOAD = "infra.preload"


class ForkServer:
    """A fork server of this process; it loads while this process goes on.

    It must be made in the main thread: it dies with the thread that started it.
    """

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([PRELOAD])
        forkserver.ensure_running()

    def start(self, target: str, *args: Any, name: str | None = None) -> BaseProcess:
        """Start a process that calls a function; it is started anew if it has died.

        Parameters
        ----------
        target : str
            ``module:function``, loaded in the fork alone.
        *args
            Its arguments.
        name : str, optional
            The process's name.
        """
        process = self._context.Process(target=_call, args=(target, args), name=name)
        process.start()
        return process

    def call(self, target: str, *args: Any) -> None:
        """Call a function in a fork, and wait for its end.

        Raises
        ------
        RuntimeError
            It failed; the fork has written why to its log.
        """
        process = self.start(target, *args)
        process.join()
        if process.exitcode != 0:
            raise RuntimeError(f"{target} failed in a fork with status {process.exitcode}.")


def _call(target: str, args: tuple[Any, ...]) -> None:
    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)(*args)
