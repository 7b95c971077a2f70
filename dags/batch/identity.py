"""Names of workers, and whether the process behind a name still lives."""

import itertools
import os

import psutil

_serial = itertools.count()
TICK = 2
"""Start times of one process read at different moments differ by less, seconds."""


def worker_name(host: str) -> str:
    """A name that no other worker ever has: host:pid:start of the process:number in it."""
    started = int(psutil.Process().create_time())
    return f"{host}:{os.getpid()}:{started}:{next(_serial)}"


def is_dead(worker: str) -> bool:
    """Whether the process of `worker`, one of this host, has ended."""
    _, pid, started, _ = worker.rsplit(":", 3)
    try:
        process = psutil.Process(int(pid))
        return (
            process.status() == psutil.STATUS_ZOMBIE
            or abs(process.create_time() - int(started)) > TICK
        )
    except psutil.NoSuchProcess:
        return True
