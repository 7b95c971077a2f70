"""Configuration files that the stack renders."""

from pathlib import Path

import pytest
import yaml

from docker.jars import flink_home
from docker.local.cds import ClassArchive
from docker.local.flink import configuration, flatten
from docker.local.postgres import options, version_of
from docker.local.settings import ROOT, StackSettings, load


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """A state folder of its own with what is installed."""
    return load(market_streams_state=tmp_path, market_streams_installed=load().installed)


def test_flink_keeps_the_shipped_jvm_options_and_adds_ours(settings: StackSettings) -> None:
    """Without the shipped ones Flink does not run; ours set UTC and the password file."""
    home = flink_home(settings.installed)
    shipped = flatten(yaml.safe_load((home / "conf/config.yaml").read_text()))["env.java.opts.all"]
    ours = configuration(settings, home)["env.java.opts.all"]
    assert ours.startswith(shipped)
    assert ours[len(shipped) :].split() == [
        "-Duser.timezone=UTC",
        f"-Dorg.postgresql.pgpassfile={settings.pgpass}",
    ]


def test_flink_listens_on_the_loopback_address(settings: StackSettings) -> None:
    """REST has no authentication, so no address but 127.0.0.1 may reach it."""
    rendered = configuration(settings, flink_home(settings.installed))
    for key in ("rest.bind-address", "jobmanager.bind-host", "taskmanager.bind-host"):
        assert rendered[key] == "127.0.0.1"


def test_prometheus_reporter_can_be_turned_off(settings: StackSettings) -> None:
    """Its ports are open to all addresses: one setting closes them."""
    home = flink_home(settings.installed)
    off = settings.model_copy(update={"flink_prometheus": False})
    assert "metrics.reporters" in configuration(settings, home)
    assert not [key for key in configuration(off, home) if key.startswith("metrics.reporter")]


def test_connectors_are_on_the_class_path_and_the_gateway_is_not(settings: StackSettings) -> None:
    """What the set-up has laid out: the SQL client looks for the gateway among optional jars."""
    env = settings.environment()
    lib = [jar.name for jar in Path(env["FLINK_LIB_DIR"]).glob("*.jar")]
    opt = [jar.name for jar in Path(env["FLINK_OPT_DIR"]).glob("*.jar")]
    assert any(name.startswith("flink-sql-connector-kafka-") for name in lib)
    assert any(name.startswith("flink-connector-jdbc-postgres-") for name in lib)
    assert any(name.startswith("flink-dist-") for name in lib)
    assert not any(name.startswith("flink-sql-gateway-") for name in lib)
    assert any(name.startswith("flink-sql-gateway-") for name in opt)


def test_class_archive_is_made_once_and_then_used(tmp_path: Path) -> None:
    """The first start asks for an archive; once a clean stop kept it, the next start uses it."""
    jar = tmp_path / "a.jar"
    jar.write_text("one")
    archive = ClassArchive(load(market_streams_state=tmp_path / "state"), "kafka")
    make = archive.flags(jar, [jar])[0]
    assert make.startswith("-XX:ArchiveClassesAtExit=")
    Path(make.partition("=")[2]).write_text("classes")
    archive.keep()
    (use,) = archive.flags(jar, [jar])
    assert use.startswith("-XX:SharedArchiveFile=")
    assert Path(use.partition("=")[2]).read_text() == "classes"
    jar.write_text("another jar")
    assert archive.flags(jar, [jar])[0].startswith("-XX:ArchiveClassesAtExit=")


def test_half_an_archive_is_dropped(tmp_path: Path) -> None:
    """What a killed JVM left is never used."""
    jar = tmp_path / "a.jar"
    jar.write_text("one")
    archive = ClassArchive(load(market_streams_state=tmp_path / "state"), "kafka")
    Path(archive.flags(jar, [jar])[0].partition("=")[2]).write_text("cla")
    archive.drop()
    archive.keep()
    assert archive.flags(jar, [jar])[0].startswith("-XX:ArchiveClassesAtExit=")


def test_newest_postgres_of_the_package_is_chosen() -> None:
    """Folders are compared by number; the one without a number is the oldest."""
    names = ["pginstall", "pginstall9", "pginstall18"]
    binaries = [Path("/x") / name / "bin/postgres" for name in names]
    assert max(binaries, key=version_of) == binaries[2]
    assert options(a="1", b="2") == ["-c", "a=1", "-c", "b=2"]


def test_env_example_names_every_setting() -> None:
    """What can be set is in the example with its default."""
    text = (ROOT / ".env.example").read_text()
    for name, field in StackSettings.model_fields.items():
        if name == "market_streams_installed":
            continue  # of use for tests only
        default = field.default
        shown = default.relative_to(ROOT) if isinstance(default, Path) else default
        shown = str(shown).lower() if isinstance(shown, bool) else shown
        assert f"#{name.upper()}={shown}\n" in text
