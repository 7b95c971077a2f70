"""Apache Kafka in KRaft mode, one node, out of the jars that Maven copied."""

import logging
import subprocess
from pathlib import Path
from string import Template

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from docker.local.cds import ClassArchive
from docker.local.process import Launch
from docker.local.service import NotReady, Service, ServiceError, java
from docker.local.settings import HOST, ROOT, StackSettings

CONFIGURATION = ROOT / "docker/kafka"
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"
SILENT = logging.getLogger("docker.local.kafka.probe")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


class Kafka(Service):
    """The broker."""

    name = "kafka"

    def __init__(self, settings: StackSettings) -> None:
        super().__init__(settings)
        self.archive = ClassArchive(settings, self.name)

    @property
    def port(self) -> int:
        """Port of the broker's listener."""
        return self.settings.kafka_port

    @property
    def folder(self) -> Path:
        """Configuration and data."""
        return self.settings.market_streams_state / "kafka"

    def prepare(self) -> Launch:
        """Render server.properties, format the data folder once."""
        libs = self.settings.installed / "kafka/libs"
        if not any(libs.glob("kafka_*.jar")):
            raise ServiceError(f"no broker jars in {libs}: run `make setup`")
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        template = Template((CONFIGURATION / "server.properties").read_text())
        properties.write_text(
            template.substitute(
                host=HOST,
                port=self.settings.kafka_port,
                controller_port=self.settings.kafka_controller_port,
                data=data,
                retention_check_ms=self.settings.kafka_retention_check_ms,
            )
        )
        if not (data / "meta.properties").exists():
            self._format(libs, properties)
        heap = self.settings.kafka_heap
        command = [
            *self._java(libs),
            *self.archive.flags(java(), libs.glob("*.jar")),
            f"-Xmx{heap}",
            "-Xms256m",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-XX:InitiatingHeapOccupancyPercent=35",
            "-XX:+ExitOnOutOfMemoryError",
            "kafka.Kafka",
            properties,
        ]
        return Launch(command, {})

    def probe(self) -> str:
        """Ask the broker for its topics."""
        if self.process.find() is None:
            raise NotReady("no process")
        admin = AdminClient(
            {
                "bootstrap.servers": self.settings.bootstrap,
                "reconnect.backoff.max.ms": 100,
                "socket.connection.setup.timeout.ms": 1000,
            },
            logger=SILENT,
        )
        try:
            topics = admin.list_topics(timeout=2).topics
        except KafkaException as error:
            raise NotReady(error.args[0].str()) from None
        shown = sum(not name.startswith("__") for name in topics)
        return f"{shown} topics"

    def stopped(self, cleanly: bool) -> None:
        """Keep the class data archive of a clean end."""
        self.archive.keep() if cleanly else self.archive.drop()

    def _java(self, libs: Path) -> list[str | Path]:
        return [
            java(),
            "-cp",
            f"{libs}/*",
            "-Djava.awt.headless=true",
            "-Duser.timezone=UTC",
            f"-Dlog4j2.configurationFile={CONFIGURATION / 'log4j2.properties'}",
            f"-Dkafka.logs.dir={self.folder / 'log'}",
        ]

    def _format(self, libs: Path, properties: Path) -> None:
        done = subprocess.run(
            [
                *self._java(libs),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "kafka.tools.StorageTool",
                "format",
                "--standalone",
                "--ignore-formatted",
                "-t",
                CLUSTER_ID,
                "-c",
                properties,
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceError(f"Kafka could not format its data folder:\n{done.stderr}")
