"""Ctrl-C for programs that are run by `make` and have something to put in order at their end."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def terminal_of_our_own() -> Iterator[None]:
    """Take Ctrl-C alone: `make` would otherwise be interrupted too and hide our exit status.

    Only where another process leads our group, and that group has the terminal: a leader gets
    Ctrl-C anyway (and a session's leader may not leave), a background job must not take it.
    """
    ours = os.getpgrp()
    if ours == os.getpid() or not sys.stdin.isatty() or os.tcgetpgrp(sys.stdin.fileno()) != ours:
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(sys.stdin.fileno(), ours)


@contextmanager
def interrupts(ended: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set the event; a second Ctrl-C is an ordinary one."""

    def end(number: int, frame: object) -> None:
        ended.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    yield
