"""Yahoo's cookie and crumb, shared by all processes of a host.

Yahoo gives a visitor a cookie, and for the cookie a crumb that goes with each call. Both are good
for every symbol, so one process asks for them (two HTTP calls) and puts them into a file; the
others read it there. Whoever is refused with them asks for new ones, unless somebody already has.
"""

import fcntl
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

GOOD_FOR = 86_400.0
"""Seconds after which cookie and crumb are asked for anew."""
WITHOUT_FOR = 300.0
"""Seconds before another try where Yahoo gave no crumb. Charts are mostly served without."""
POLL = 0.05


class Credentials(NamedTuple):
    """What makes Yahoo believe that it serves a browser."""

    cookies: dict[str, str]
    crumb: str | None
    """None: Yahoo gave none."""
    good_until: float
    """Unix time, s."""


class CredentialStore:
    """One file per upstream in ``folder``, readable by its owner only.

    Args:
        folder: Is created when it is missing.
        upstream: Base address, or empty for Yahoo itself: one's crumb is no good for another.
        ask: Gets new credentials over HTTP.
        patience: Longest wait, in seconds, for another process that is asking already.
    """

    def __init__(
        self, folder: Path, upstream: str, ask: Callable[[], Credentials], patience: float
    ) -> None:
        name = re.sub(r"[^A-Za-z0-9.]+", "-", upstream) or "yahoo"
        self.path = folder / f"session-{name}.json"
        self._ask = ask
        self._patience = patience

    def get(self, refused: Credentials | None = None) -> Credentials:
        """The shared credentials; new ones where there are none, or where they are ``refused``.

        OSError where the folder cannot be written.
        """
        known = self._read(refused)
        if known is not None:
            return known
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock():
            known = self._read(refused)
            if known is None:
                known = self._ask()
                self._write(known)
        return known

    def _read(self, refused: Credentials | None) -> Credentials | None:
        """Those of the file, if they are good still and not the ``refused`` ones."""
        try:
            fields = json.loads(self.path.read_bytes())
            known = Credentials(fields["cookies"], fields["crumb"], float(fields["good_until"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return None if known == refused or known.good_until <= time.time() else known

    def _write(self, credentials: Credentials) -> None:
        """Replace the file at one stroke, so that nobody reads half of it."""
        handle, name = tempfile.mkstemp(prefix=".session-", dir=self.path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(credentials._asdict(), file)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One asks at a time; whoever waits longer than the patience asks as well."""
        with self.path.with_suffix(".lock").open("a") as file:
            until = time.monotonic() + self._patience
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        break
                    time.sleep(POLL)
            yield
