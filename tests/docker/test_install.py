"""Stamps: a part is installed when it is missing or its source has changed, else never."""

from pathlib import Path

import pytest

from docker.install import Installer, InstallError, Part, run


class Counted:
    """An installer with one part, a file, and a count of how often it was made."""

    def __init__(self, folder: Path) -> None:
        self.installer = Installer(folder / "state", "python3")
        self.source = folder / "source.txt"
        self.source.write_text("one")
        self.product = folder / "product"
        self.made = 0
        self.part = Part("a part", (self.source,), self.product, self.make)

    def make(self) -> None:
        """Copy the source."""
        self.made += 1
        self.product.write_text(self.source.read_text())

    def install(self) -> None:
        """What a set-up does with this part."""
        self.installer.install_part(self.part, report=lambda line: None)


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    """A fresh part."""
    return Counted(tmp_path)


def test_second_install_only_checks_the_stamp(counted: Counted) -> None:
    """What is current is not made again."""
    counted.install()
    counted.install()
    assert counted.made == 1


def test_changed_source_installs_again(counted: Counted) -> None:
    """The stamp is the hash of the source, not its date."""
    counted.install()
    counted.source.write_text("two")
    counted.install()
    assert counted.product.read_text() == "two"
    assert counted.made == 2


def test_removed_product_installs_again(counted: Counted) -> None:
    """A stamp without what it stands for is not believed."""
    counted.install()
    counted.product.unlink()
    counted.install()
    assert counted.made == 2


def test_failed_install_leaves_no_stamp(counted: Counted) -> None:
    """A part that could not be made is tried again next time."""

    def fail() -> None:
        counted.product.write_text("half")
        raise InstallError("no network")

    with pytest.raises(InstallError):
        counted.installer.install_part(counted.part._replace(make=fail), report=lambda line: None)
    counted.install()
    assert counted.made == 1


def test_every_environment_has_its_requirements_file(tmp_path: Path) -> None:
    """Each part's source is in the checkout, and every requirement in it carries a hash."""
    for part in Installer(tmp_path, "python3").parts():
        for source in part.sources:
            text = source.read_text()
            if source.suffix == ".txt":
                assert text.count("==") <= text.count("--hash=sha256:")
                assert "://" not in text


def test_failing_installer_tells_command_status_and_output() -> None:
    """The end of what the installer said is in the error."""
    with pytest.raises(InstallError, match=r"(?s)sh -c.*status 3.*no such package"):
        run(["sh", "-c", "echo no such package; exit 3"])
