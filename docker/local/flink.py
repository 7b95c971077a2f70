"""A Flink session cluster out of the Python package: one JobManager, one TaskManager.

Configuration, jars and logs are in the state folder (FLINK_CONF_DIR and its like), so nothing
is ever written into the installed package.
"""

import json
import secrets
import shutil
import threading
import urllib.error
import urllib.request
from pathlib import Path
from string import Template
from typing import Any

import psutil
import yaml

from docker.jars import class_path, flink_home
from docker.local.cds import ClassArchive
from docker.local.process import Launch, ManagedProcess
from docker.local.service import NotReady, Service, ServiceError, java
from docker.local.settings import HOST, ROOT, StackSettings

CONFIGURATION = ROOT / "docker/flink"
RESOURCE_ID = "-Dtaskmanager.resource-id="
WRITING = threading.Lock()
"""Both processes are prepared at the same time, and they share these folders."""


class FlinkProcess(Service):
    """One of the two processes. Its script ends in `exec java`, so the pid we know is the JVM's."""

    script: str

    def __init__(self, settings: StackSettings) -> None:
        super().__init__(settings)
        self.archive = ClassArchive(settings, self.name)

    def launch(self, *arguments: str) -> Launch:
        """Configure the whole cluster and start the script in the foreground."""
        home = flink_home(self.settings.installed)
        program = home / "bin" / self.script
        if not program.exists():
            environment = self.settings.installed / "venv/flink"
            raise ServiceError(f"no Flink in {environment}: run `make setup`")
        with WRITING:
            configure(self.settings, home)
        variables = self.settings.environment()
        jars = class_path(self.settings.installed).glob("*.jar")
        variables["JVM_ARGS"] = " ".join(self.archive.flags(java(), jars))
        return Launch(["bash", program, "start-foreground", *arguments], variables)

    def stopped(self, cleanly: bool) -> None:
        """Keep the class data archive of a clean end."""
        self.archive.keep() if cleanly else self.archive.drop()


class JobManager(FlinkProcess):
    """The cluster's head: REST interface, web page, coordination of checkpoints."""

    name = "jobmanager"
    script = "jobmanager.sh"

    @property
    def port(self) -> int:
        """REST port."""
        return self.settings.flink_rest_port

    def prepare(self) -> Launch:
        """Write the configuration of the whole cluster."""
        return self.launch()

    def probe(self) -> str:
        """Ask for the cluster's overview."""
        overview = get(self.settings, "/overview")
        return f"Flink {overview['flink-version']}, {overview['jobs-running']} jobs running"


class TaskManager(FlinkProcess):
    """The worker process that runs the jobs."""

    name = "taskmanager"
    script = "taskmanager.sh"
    start_seconds = 90
    listens = False

    @property
    def port(self) -> int:
        """It has no fixed port of its own: the cluster's RPC port, where it registers."""
        return self.settings.flink_rpc_port

    def prepare(self) -> Launch:
        """Write the configuration of the whole cluster, give this process a name of its own."""
        identity = f"{RESOURCE_ID}taskmanager-{secrets.token_hex(4)}"
        return self.launch(identity)

    def probe(self) -> str:
        """This very process must be registered with all its slots.

        For some seconds the cluster still counts a TaskManager that was killed, hence the name.
        """
        identity = self._identity()
        for each in get(self.settings, "/taskmanagers")["taskmanagers"]:
            if each["id"] == identity and each["slotsNumber"] == self.settings.flink_slots:
                return f"{each['freeSlots']} of {each['slotsNumber']} slots free"
        raise NotReady(f"{identity} is not registered")

    def _identity(self) -> str:
        """Name under which the running process registers, from its command line."""
        process = self.process.find()
        try:
            words = process.cmdline() if process else []
        except psutil.Error:
            words = []
        for word in words:
            if word.startswith(RESOURCE_ID):
                return word.removeprefix(RESOURCE_ID)
        raise NotReady("no process")


def get(settings: StackSettings, path: str) -> Any:
    """JSON answer of Flink's REST interface. NotReady if there is none."""
    try:
        with urllib.request.urlopen(settings.flink_rest + path, timeout=3) as answer:
            return json.load(answer)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise NotReady(str(error)) from None


def configure(settings: StackSettings, home: Path) -> None:
    """Write the cluster's configuration. ServiceError where the set-up has not been run."""
    jars = class_path(settings.installed)
    if not jars.is_dir():
        raise ServiceError(f"no jars in {jars}: run `make setup`")
    folder = settings.market_streams_state / "flink"
    for name in ("conf", "log", "pid", "checkpoints", "savepoints"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "conf/config.yaml").write_text(yaml.safe_dump(configuration(settings, home)))
    shutil.copy(CONFIGURATION / "log4j-console.properties", folder / "conf")
    for name in ("log4j-cli.properties", "log4j-session.properties"):
        shutil.copy(home / "conf" / name, folder / "conf")


def configuration(settings: StackSettings, home: Path) -> dict[str, Any]:
    """Flat options of the cluster: the distribution's, ours on top, JVM options of both."""
    shipped = flatten(yaml.safe_load((home / "conf/config.yaml").read_text()))
    folder = settings.market_streams_state / "flink"
    text = Template((CONFIGURATION / "config.yaml").read_text()).substitute(
        host=HOST,
        rpc_port=settings.flink_rpc_port,
        rest_port=settings.flink_rest_port,
        slots=settings.flink_slots,
        jobmanager_memory=settings.flink_jobmanager_memory,
        taskmanager_memory=settings.flink_taskmanager_memory,
        jobmanager_log=log_of(settings, JobManager.name),
        taskmanager_log=log_of(settings, TaskManager.name),
        checkpoint_interval=settings.flink_checkpoint_interval,
        checkpoints=(folder / "checkpoints").as_uri(),
        savepoints=(folder / "savepoints").as_uri(),
    )
    options = {**shipped, **yaml.safe_load(text)}
    if settings.flink_prometheus:
        factory = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"
        options["metrics.reporters"] = "prom"
        options["metrics.reporter.prom.factory.class"] = factory
        options["metrics.reporter.prom.port"] = settings.flink_metrics_ports
    every_jvm = (
        str(shipped.get("env.java.opts.all", "")),
        "-Duser.timezone=UTC",
        f"-Dorg.postgresql.pgpassfile={settings.pgpass}",
    )
    options["env.java.opts.all"] = " ".join(part for part in every_jvm if part)
    return options


def log_of(settings: StackSettings, service: str) -> Path:
    """Log file of one of our processes."""
    return ManagedProcess(service, settings.market_streams_state).log_file


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': 1}} as {'a.b': 1}: Flink reads both forms."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
