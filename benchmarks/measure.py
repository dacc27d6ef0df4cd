"""Time and memory of one function, in a process of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Measured:
    """Seconds by stage, in order, and the highest memory in MB.

    ``peak_mb`` is the process's resident memory, imports included. ``server_peak_mb`` is what the database
    server's processes together had for themselves, without the buffers they share. ``server_cpu_seconds`` is
    what they computed, set-up included: on a busy machine it says more than the clock.
    """

    stages: dict[str, float]
    peak_mb: float
    server_peak_mb: float
    server_cpu_seconds: float
    import_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        return sum(self.stages.values())


class Clock:
    """Measures the stages of a run: ``with clock("load"): …``."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.stages[stage] = time.perf_counter() - began


def in_own_process(run: Callable[..., tuple[Clock, float]], *arguments: Any, server_pid: int) -> Measured:
    """Call ``run``, which gives its clock and the seconds its imports took, in a new process."""
    context = multiprocessing.get_context("spawn")
    with _Server(server_pid) as server, ProcessPoolExecutor(1, mp_context=context) as pool:
        stages, import_seconds, peak_mb = pool.submit(_call, run, arguments).result()
    return Measured(stages, peak_mb, server.peak_mb, server.cpu_seconds, import_seconds)


def _call(
    run: Callable[..., tuple[Clock, float]], arguments: tuple[Any, ...]
) -> tuple[dict[str, float], float, float]:
    clock, import_seconds = run(*arguments)
    return clock.stages, import_seconds, _peak_mb()


def _peak_mb() -> float:
    """This process's highest resident memory (Linux's ``ru_maxrss`` begins with the parent's)."""
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


class _Server:
    """Looks at the server's processes several times a second while a block runs."""

    def __init__(self, pid: int) -> None:
        self.peak_mb = 0.0
        self.cpu_seconds = 0.0
        self._server = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Server:
        self.cpu_seconds = -self._ended_processes_seconds()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        time.sleep(0.5)  # until the server has noticed the end of its last process
        self.cpu_seconds += self._ended_processes_seconds()

    def _ended_processes_seconds(self) -> float:
        times = self._server.cpu_times()
        return float(times.children_user + times.children_system)

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            used = 0
            for process in [self._server, *self._server.children()]:
                with contextlib.suppress(psutil.Error):
                    memory = process.memory_info()
                    used += memory.rss - getattr(memory, "shared", 0)
            self.peak_mb = max(self.peak_mb, used / MEGABYTE)
