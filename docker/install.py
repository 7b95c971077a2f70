"""Puts into the state folder what the project runs on: virtual environments and jars.

Each part has a stamp with the hash of what it was made from. A part whose stamp fits costs one
small file to check. Only the standard library.
"""

from __future__ import annotations  # so that a Python that is too old can still say so

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from docker.doctor import ROOT
from docker.jars import class_path, lay_out

ENVIRONMENTS = ("base", "dev", "flink", "airflow")


class InstallError(Exception):
    """A part could not be installed. The text is the end of what its installer said."""


class Part(NamedTuple):
    """Something installed: from what it is made, how it is known to be there, how it is made."""

    name: str
    sources: tuple[Path, ...]
    proof: Path
    make: Callable[[], None]


class Installer:
    """Installs what is missing or out of date."""

    def __init__(self, state: Path, python: str) -> None:
        self.state = state
        self.python = python
        self.tools = state / "venv/tools/bin"

    def parts(self) -> list[Part]:
        """Jars and one environment for each requirements file."""
        pom = ROOT / "docker/pom.xml"
        return [
            Part("jars", (pom,), self.state / "kafka/libs", lambda: self.copy_jars(pom)),
            *(self.environment(name) for name in ENVIRONMENTS),
        ]

    def environment(self, name: str) -> Part:
        """A virtual environment as its requirements file says."""
        requirements = ROOT / f"requirements/{name}.txt"
        interpreter = self.state / f"venv/{name}/bin/python"
        return Part(
            f"environment {name}",
            (requirements,),
            interpreter,
            lambda: self.sync(interpreter, requirements),
        )

    def class_path(self) -> Part:
        """The folders of Flink's jars and ours: made of two other parts, so after them."""
        sources = (ROOT / "docker/pom.xml", ROOT / "requirements/flink.txt")
        proof = class_path(self.state)
        return Part("class path of Flink", sources, proof, lambda: lay_out(self.state))

    def install(self, report: Callable[[str], None]) -> None:
        """Bring all parts up to date, those that wait for different servers at the same time."""
        missing = [part for part in self.parts() if not self.is_current(part)]
        last = self.class_path()
        if not missing and self.is_current(last):
            return
        with self.alone():
            self.install_tools(report)
            with ThreadPoolExecutor(2) as pool:
                for made in [pool.submit(self.install_part, part, report) for part in missing]:
                    made.result()
            self.install_part(last, report)

    def install_part(self, part: Part, report: Callable[[str], None]) -> None:
        """Make one part and stamp it."""
        if self.is_current(part):
            return  # another set-up made it while we waited
        begun = time.monotonic()
        report(f"installing {part.name} ...")
        part.make()
        self.stamp(part)
        report(f"installed {part.name} in {time.monotonic() - begun:.1f} s")

    def install_tools(self, report: Callable[[str], None]) -> None:
        """uv, pinned, by the pip of a small environment of its own."""
        requirements = ROOT / "requirements/tools.txt"
        python = self.tools / "python"
        part = Part(
            "uv",
            (requirements,),
            self.tools / "uv",
            lambda: run(
                [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", requirements]
            ),
        )
        if self.is_current(part):
            return
        if not python.exists():
            run([self.python, "-m", "venv", self.tools.parent])
        self.install_part(part, report)

    def sync(self, interpreter: Path, requirements: Path) -> None:
        """Make the environment once, then give it just the pinned packages, in place."""
        uv = self.tools / "uv"
        if not interpreter.exists():
            make: list[str | Path] = [uv, "venv", "-q", "--python", self.python]
            run([*make, interpreter.parents[1]], self.caches())
        command: list[str | Path] = [
            uv,
            "pip",
            "sync",
            "-q",
            "--require-hashes",
            "--python",
            interpreter,
        ]
        run([*command, requirements], self.caches())

    def copy_jars(self, pom: Path) -> None:
        """Let Maven copy the jars into new folders, then put these in the place of the old."""
        folders = {"kafka": self.state / "kafka/libs", "flink": self.state / "flink/jars"}
        fresh = {name: folder.with_name(f"{folder.name}.new") for name, folder in folders.items()}
        for folder in fresh.values():
            shutil.rmtree(folder, ignore_errors=True)
        repository = self.state / "cache/maven"
        maven = ["mvn", "-q", "-B", "-Dstyle.color=never", "--strict-checksums", "package"]
        properties = [f"-Djars.{name}={folder}" for name, folder in fresh.items()]
        run([*maven, "-f", pom, f"-Dmaven.repo.local={repository}", *properties])
        for name, folder in folders.items():
            shutil.rmtree(folder, ignore_errors=True)
            fresh[name].rename(folder)

    def caches(self) -> dict[str, str]:
        """Downloads stay in the state folder, unless the user has a cache of their own."""
        folder = os.environ.get("UV_CACHE_DIR") or str(self.state / "cache/uv")
        return {"UV_CACHE_DIR": folder}

    def digest(self, part: Part) -> str:
        """Hash of what a part is made from."""
        total = hashlib.sha256()
        for source in part.sources:
            total.update(source.read_bytes())
        return total.hexdigest()

    def stamp_file(self, part: Part) -> Path:
        """Where the part's stamp is."""
        return self.state / "stamps" / part.name.replace(" ", "-")

    def is_current(self, part: Part) -> bool:
        """Whether the part is there and made from the sources as they are now."""
        stamp = self.stamp_file(part)
        return part.proof.exists() and stamp.exists() and stamp.read_text() == self.digest(part)

    def stamp(self, part: Part) -> None:
        """Note what the part was made from."""
        file = self.stamp_file(part)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.digest(part))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One set-up at a time for one state folder."""
        import fcntl  # not on every system; there the other steps would fail too

        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "setup.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def run(command: list[str | Path], environment: dict[str, str] | None = None) -> None:
    """Run an installer; InstallError with the end of its output if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        words = " ".join(str(part) for part in command)
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise InstallError(f"{words}\nended with status {done.returncode}:\n{tail}")
