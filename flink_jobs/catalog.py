"""What the folder `sql/` holds: jobs, models, and the tables, views and functions they use."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from flink_jobs import model, script, settings
from flink_jobs.errors import JobError, SqlError
from flink_jobs.model import Model
from flink_jobs.script import Source, Statement

MODEL_FOLDERS = ("windows", "indicators", "alerts", "orders")
DEFINITIONS = ("functions.sql", "sources/*.sql", "views/*.sql")
TOPIC_OPTION = re.compile(r"'topic'\s*=\s*'([^']*)'")
CREATED = ("TABLE", "VIEW", "FUNCTION")


@dataclass(frozen=True)
class Job:
    """Models that run as one Flink job."""

    name: str
    models: tuple[str, ...]
    parallelism: int
    options: dict[str, str]


@dataclass(frozen=True)
class Topic:
    """Partitions and broker configuration of a topic that the runner makes."""

    partitions: int
    config: dict[str, str]


@dataclass(frozen=True)
class Definition:
    """A `CREATE TABLE|VIEW|FUNCTION` statement and the name it makes."""

    name: str
    kind: str
    statement: Statement


@dataclass(frozen=True)
class Catalog:
    """The files under one folder, with variables filled in where a model is read."""

    root: Path
    variables: Mapping[str, str]
    config: dict[str, Any] = field(repr=False)

    @classmethod
    def load(cls, root: Path, given: Mapping[str, str]) -> "Catalog":
        """Read `root/jobs.toml`; `given` variables go before its defaults."""
        config = settings.read_toml(root / "jobs.toml")
        return cls(root, settings.variables(config.get("variables", {}), given), config)

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Jobs by name."""
        general = self.config.get("options", {})
        return {
            name: Job(
                name=name,
                models=tuple(entry["models"]),
                parallelism=int(entry.get("parallelism", 1)),
                options={**general, **entry.get("options", {})},
            )
            for name, entry in self.config.get("jobs", {}).items()
        }

    def job(self, name: str) -> Job:
        """A job of jobs.toml, or a job of one model where `name` is a model file."""
        if name in self.jobs:
            return self.jobs[name]
        path = Path(name)
        if path.suffix == ".sql":
            shown = self._relative(path)
            if (self.root / shown).exists():
                key = shown.removesuffix(".sql")
                return Job(path.stem, (key,), 1, dict(self.config.get("options", {})))
        raise JobError(f"no job {name}{guess(name, self.jobs)}\n  known: {', '.join(self.jobs)}")

    def asked(self, name: str) -> str:
        """The name under which `job` finds the same wherever the folder lies."""
        return name if name in self.jobs else f"{self.job(name).models[0]}.sql"

    def topic(self, name: str) -> Topic:
        """Settings of a topic; those of `default` where it has none of its own."""
        topics = self.config.get("topics", {})
        entry = topics.get(name, topics.get("default", {}))
        config = {key: str(value) for key, value in entry.get("config", {}).items()}
        return Topic(int(entry.get("partitions", 1)), config)

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """Tables, views and functions by the name they make."""
        found: dict[str, Definition] = {}
        for pattern in DEFINITIONS:
            for path in sorted(self.root.glob(pattern)):
                for statement in script.split(self.source(path)):
                    definition = _definition(statement)
                    if definition.name in found:
                        raise statement.source.error(
                            f"{definition.name} is made twice",
                            statement.start,
                            remedy=f"it is in {found[definition.name].statement.source.path} too",
                        )
                    found[definition.name] = definition
        return found

    @cached_property
    def model_paths(self) -> dict[str, Path]:
        """Model files by the model's name."""
        paths = [p for folder in MODEL_FOLDERS for p in sorted((self.root / folder).glob("*.sql"))]
        return {path.stem: path for path in paths}

    def key(self, name: str) -> str:
        """`windows/bars_1m` of the model `bars_1m`. JobError for an unknown one."""
        path = self.model_paths.get(name)
        if path is None:
            raise JobError(f"no model {name}{guess(name, self.model_paths)}")
        return self._relative(path).removesuffix(".sql")

    def model(self, name: str) -> Model:
        """Read a model by its path under the folder, without the ending: `windows/bars_1m`."""
        path = self.root / f"{name}.sql"
        if not path.exists():
            known = [self._relative(p).removesuffix(".sql") for p in self.model_paths.values()]
            raise JobError(f"no model {name} in {self.root}{guess(name, known)}")
        return model.parse(script.fill(self.source(path), self.variables))

    def with_inputs(self, names: Iterable[str]) -> list[Model]:
        """Models and the models they read, each after those it reads. SqlError for a circle."""
        done: dict[str, Model] = {}
        for name in names:
            self._add(self.model(name), done, ())
        return list(done.values())

    def needed(self, statements: Iterable[Statement]) -> list[Definition]:
        """Definitions that the statements use, directly or not, each after those it uses."""
        found: dict[str, Definition] = {}
        for statement in statements:
            self._collect(statement, found)
        return list(found.values())

    def _collect(self, statement: Statement, found: dict[str, Definition]) -> None:
        for token in script.names(statement):
            definition = self.definitions.get(token.text)
            if definition and definition.name not in found and definition.statement != statement:
                self._collect(definition.statement, found)
                found[definition.name] = definition

    def topics_read(self, models: Iterable[Model]) -> list[str]:
        """Topics that the sources of these models read, with the prefix."""
        found = []
        for definition in self.needed(one.statement for one in models):
            if definition.kind == "TABLE":
                match = TOPIC_OPTION.search(definition.statement.text)
                if match:
                    found.append(script.VARIABLE.sub(self._value, match.group(1)))
        return found

    def _value(self, match: re.Match[str]) -> str:
        return str(self.variables[match.group(1)])

    def source(self, path: Path) -> Source:
        """A file, with the path that messages show."""
        return Source(f"{self.root.name}/{self._relative(path)}", path.read_text())

    def _relative(self, path: Path) -> str:
        root = self.root.resolve()
        full = path.resolve()
        return str(full.relative_to(root)) if full.is_relative_to(root) else str(path)

    def _add(self, one: Model, done: dict[str, Model], above: tuple[str, ...]) -> None:
        if one.name in above:
            raise one.error(
                f"models read each other in a circle: {' > '.join((*above, one.name))}",
                remedy="break the circle",
            )
        used = {token.text for token in script.names(one.statement)}
        for name in self.model_paths:
            if name in used and name != one.name and name not in done:
                self._add(self.model(self.key(name)), done, (*above, one.name))
        done.setdefault(one.name, one)


def guess(name: str, known: Iterable[str]) -> str:
    """` (did you mean …?)` for a name close to a known one."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _definition(statement: Statement) -> Definition:
    """The name that a CREATE statement makes."""
    code = [t for t in statement.code() if t.upper not in ("TEMPORARY", "SYSTEM", "IF", "NOT")]
    code = [token for token in code if token.upper != "EXISTS"]
    if len(code) < 3 or code[0].upper != "CREATE" or code[1].upper not in CREATED:
        remedy = "sources, views and functions hold CREATE TABLE, VIEW or FUNCTION only"
        raise _unexpected(statement, remedy)
    return Definition(code[2].text.strip("`"), code[1].upper, statement)


def _unexpected(statement: Statement, remedy: str) -> SqlError:
    return statement.source.error(
        f"{statement.words(2)} does not belong here", statement.start, remedy=remedy
    )
