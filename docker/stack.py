"""The local stack from the command line: `python -m docker.stack up|down|status|logs|...`."""

import argparse
import subprocess
import sys
import threading
from collections.abc import Sequence

from docker.local import jobs
from docker.local.defaults import GROUPS
from docker.local.service import ServiceError
from docker.local.settings import HOST, SettingsError, StackSettings, load
from docker.local.stack import Stack
from docker.local.supervisor import Supervisor
from docker.local.terminal import interrupts

NAMES = f"services, or one of the groups {', '.join(GROUPS)} (default: all)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; faults of settings and services end it with their text, status 1."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(load(), options))
    except SettingsError as error:
        print(f"These settings are wrong:\n{error}", file=sys.stderr)
    except ServiceError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m docker.stack", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    texts = {
        up: "start the services and their jobs; return when all answer",
        watch: "the same, and start again what dies, until Ctrl-C",
        status: "pid, port, health and memory of each",
    }
    for run, text in texts.items():
        command = commands.add_parser(run.__name__, help=text, description=text)
        command.add_argument("names", nargs="*", metavar="SERVICE|GROUP", help=NAMES)
        command.set_defaults(run=run)
    texts = {
        down: "stop jobs with savepoints, then all services in order",
        env: "environment variables for clients, as `export` lines",
        where: "addresses to look at",
        clean: "stop all and remove the database's folder outside the state folder",
    }
    for run, text in texts.items():
        commands.add_parser(run.__name__, help=text, description=text).set_defaults(run=run)
    follow = commands.add_parser("logs", help="show the log of one service")
    follow.add_argument("service", help="for example kafka")
    follow.add_argument("-f", "--follow", action="store_true", help="go on with new lines")
    follow.add_argument("-n", "--lines", type=int, default=50, help="how many (default 50)")
    follow.set_defaults(run=logs)
    return top


def up(settings: StackSettings, options: argparse.Namespace) -> int:
    """Start what is named, or everything."""
    stack = Stack(settings)
    seconds = stack.up(options.names)
    print(f"Up after {seconds:.1f} s.")
    started = {service.name for service in stack.choose(options.names)}
    if started >= jobs.NEEDED:
        print(f"Jobs: {jobs.resume(settings)}")
    if "jobmanager" in started:
        print(f"Flink's page    {settings.flink_rest}")
    if "airflow-api" in started:
        print(f"Airflow's page  {settings.airflow_url} ({logins(settings)})")
    return 0


def logins(settings: StackSettings) -> str:
    """Users of Airflow's page and where their passwords are."""
    return f"users admin and viewer, passwords in {settings.airflow_passwords}"


def down(settings: StackSettings, options: argparse.Namespace) -> int:
    """Stop everything; jobs first, with savepoints, from which `up` goes on."""
    stack = Stack(settings)
    if all(row.health == "up" for row in stack.status(jobs.NEEDED)):
        try:
            print(jobs.suspend(settings), end="")
        except ServiceError as error:
            print(f"{error}\njobs go on from their last checkpoints", file=sys.stderr)
    stack.down()
    return 0


def watch(settings: StackSettings, options: argparse.Namespace) -> int:
    """Start what is named, or everything, and what dies again, until Ctrl-C."""
    up(settings, options)
    services = Stack(settings).choose(options.names)
    recover = {"jobmanager": lambda: jobs.resume(settings)}
    ended = threading.Event()
    with interrupts(ended), Supervisor(services, print, recover=recover):
        print("Watching; Ctrl-C ends this, and leaves the services running.")
        ended.wait()
    return 0


def status(settings: StackSettings, options: argparse.Namespace) -> int:
    """Print the table of what is named, or of all; status 3 unless each of them is up."""
    rows = Stack(settings).status(options.names)
    print(f"{'SERVICE':<19}{'PID':>8}{'PORT':>7}  {'HEALTH':<10}{'MEMORY':>9}  DETAIL")
    for row in rows:
        memory = f"{row.memory / 2**20:.0f} MiB" if row.memory else "-"
        pid = row.pid or "-"
        print(f"{row.service:<19}{pid:>8}{row.port:>7}  {row.health:<10}{memory:>9}  {row.detail}")
    return 0 if all(row.health == "up" for row in rows) else 3


def logs(settings: StackSettings, options: argparse.Namespace) -> int:
    """Show the end of a log, and what is added to it with --follow."""
    process = Stack(settings).service(options.service).process
    if not process.log_file.exists():
        raise ServiceError(f"{process.name} has no log yet: {process.log_file}")
    follow = ["-F"] if options.follow else []
    command = ["tail", "-n", str(options.lines), *follow, str(process.log_file)]
    return subprocess.run(command, check=False).returncode


def env(settings: StackSettings, options: argparse.Namespace) -> int:
    """Print what `eval "$(make -s env)"` needs."""
    for name, value in settings.environment().items():
        print(f"export {name}='{value}'")
    return 0


def where(settings: StackSettings, options: argparse.Namespace) -> int:
    """Print the addresses of pages and metrics, and how to reach the data by hand."""
    first = settings.flink_metrics_ports.partition("-")[0]
    print(f"Flink's page        {settings.flink_rest}")
    if settings.flink_prometheus:
        ports = settings.flink_metrics_ports
        print(f"Flink's metrics     http://{HOST}:{first}/metrics (the first free of {ports})")
    print(f"Airflow's page      {settings.airflow_url} ({logins(settings)})")
    print(f"Kafka               {settings.bootstrap}")
    print(f"PostgreSQL          {settings.database_url} (PGPASSFILE={settings.pgpass})")
    print(f"  read only         {settings.database_url.replace('market@', 'analyst@')}")
    return 0


def clean(settings: StackSettings, options: argparse.Namespace) -> int:
    """Stop everything, remove the folders of the services that lie elsewhere."""
    Stack(settings).clean()
    return 0


if __name__ == "__main__":
    sys.exit(main())
