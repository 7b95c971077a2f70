"""Flink's class path, laid out by the set-up."""

from pathlib import Path

from docker.jars import class_path, lay_out, link, optional_jars


def made(folder: Path, *names: str) -> None:
    """Empty jars."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("")


def test_links_of_an_older_version_are_dropped(tmp_path: Path) -> None:
    """The folder holds links to just the jars that are there now; broken ones are mended."""
    new, other = tmp_path / "a-2.jar", tmp_path / "b-1.jar"
    for jar in (new, other):
        jar.write_text("")
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "a-1.jar").symlink_to(tmp_path / "a-1.jar")
    (folder / "b-1.jar").symlink_to("/nowhere/b-1.jar")
    link(folder, [new, other])
    assert {jar.name: jar.resolve() for jar in folder.iterdir()} == {
        "a-2.jar": new,
        "b-1.jar": other,
    }


def test_connectors_are_on_the_class_path_and_the_gateway_is_not(tmp_path: Path) -> None:
    """The SQL client looks for the gateway among Flink's optional jars."""
    home = tmp_path / "venv/flink/lib/python3.11/site-packages/pyflink"
    made(home / "lib", "flink-dist-2.jar")
    made(home / "opt", "flink-python-2.jar")
    made(tmp_path / "flink/jars", "flink-connector-jdbc-4.jar", "flink-sql-gateway-2.jar")
    lay_out(tmp_path)
    names = [
        sorted(jar.name for jar in folder(tmp_path).iterdir())
        for folder in (class_path, optional_jars)
    ]
    assert names == [
        ["flink-connector-jdbc-4.jar", "flink-dist-2.jar"],
        ["flink-python-2.jar", "flink-sql-gateway-2.jar"],
    ]
