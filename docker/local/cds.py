"""Class data archives: they take a third off the start of the stack.

A JVM that stops cleanly can leave an archive of the classes it had loaded; the next one maps it
instead of reading and verifying jars (`-XX:ArchiveClassesAtExit`, Java 13 and later). An archive
fits one Java and one class path, so both are in its name. The JVM ignores one that does not fit.
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from docker.local.settings import StackSettings

SIGNATURE_LENGTH = 16


class ClassArchive:
    """The archive of one service: used if it is there, else made when the service stops."""

    def __init__(self, settings: StackSettings, service: str) -> None:
        self.service = service
        self.folder = settings.installed / "cds"
        self.state = settings.market_streams_state

    def flags(self, java: Path, jars: Iterable[Path]) -> list[str]:
        """JVM options that use the archive for this Java and these jars, or that make it."""
        archive = self.folder / f"{self.service}-{signature(java, jars)}.jsa"
        if archive.exists():
            return [f"-XX:SharedArchiveFile={archive}"]
        draft = self._drafts() / archive.name
        draft.parent.mkdir(parents=True, exist_ok=True)
        return [f"-XX:ArchiveClassesAtExit={draft}", "-Xlog:cds=error", "-Xlog:cds+dynamic=error"]

    def keep(self) -> None:
        """Put the archive that a cleanly stopped JVM left where the next start finds it."""
        for draft in self._drafts().glob(f"{self.service}-*.jsa"):
            self.folder.mkdir(parents=True, exist_ok=True)
            for old in self.folder.glob(f"{self.service}-*.jsa"):
                old.unlink()
            part = self.folder / f"{draft.name}.part"
            shutil.move(draft, part)
            part.replace(self.folder / draft.name)

    def drop(self) -> None:
        """Forget the half of an archive that a killed JVM may have left."""
        for draft in self._drafts().glob(f"{self.service}-*.jsa"):
            draft.unlink()

    def _drafts(self) -> Path:
        return self.state / "cds.new"


def signature(java: Path, jars: Iterable[Path]) -> str:
    """Hash of which Java this is and of the path, size and age of every jar."""
    total = hashlib.sha256()
    for file in (java.resolve(), *sorted(jars)):
        status = file.stat()
        total.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode())
    return total.hexdigest()[:SIGNATURE_LENGTH]
