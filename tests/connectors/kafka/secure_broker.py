"""A broker with a listener that wants a password and speaks TLS, certificates of its own."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from docker.local.kafka import Kafka
from docker.local.process import Launch
from docker.local.settings import HOST, StackSettings
from tests.integration.conftest import free_ports, own_settings

USER, PASSWORD = "feed", "hunter2-of-the-test"


class Certificates(NamedTuple):
    """PEM files."""

    authority: Path
    """Of the authority that signed the broker's."""
    stranger: Path
    """Of one that signed nothing here."""
    broker: Path
    """Key and certificate, as Kafka wants its key store."""


def _openssl(*words: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def certificates(folder: Path) -> Certificates:
    """Make two authorities and a broker's certificate for the loopback address."""
    folder.mkdir()
    for name in ("authority", "stranger"):
        _openssl(
            *["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
            *["-subj", f"/CN=test {name}", "-addext", "keyUsage=critical,keyCertSign"],
            *["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
        )
    _openssl(
        *["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker"],
        *["-keyout", folder / "broker.key", "-out", folder / "broker.csr"],
    )
    (folder / "san").write_text(f"subjectAltName=IP:{HOST}")
    _openssl(
        *["x509", "-req", "-in", folder / "broker.csr", "-days", "2", "-CAcreateserial"],
        *["-CA", folder / "authority.pem", "-CAkey", folder / "authority.key"],
        *["-extfile", folder / "san", "-out", folder / "broker.crt"],
    )
    broker = folder / "broker.pem"
    broker.write_text((folder / "broker.key").read_text() + (folder / "broker.crt").read_text())
    return Certificates(folder / "authority.pem", folder / "stranger.pem", broker)


class SecureKafka(Kafka):
    """The broker of the local stack with one more listener."""

    def __init__(self, settings: StackSettings, made: Certificates) -> None:
        super().__init__(settings)
        self.made = made
        (self.secure_port,) = free_ports(1)

    def prepare(self) -> Launch:
        """As ever, and the listener."""
        launch = super().prepare()
        plain = f"PLAINTEXT://{HOST}:{self.settings.kafka_port}"
        secure = f"SASL_SSL://{HOST}:{self.secure_port}"
        controller = f"CONTROLLER://{HOST}:{self.settings.kafka_controller_port}"
        protocols = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL"
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        lines = [
            f"listeners={plain},{secure},{controller}",
            f"advertised.listeners={plain},{secure}",
            f"listener.security.protocol.map={protocols}",
            "sasl.enabled.mechanisms=PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config="
            f'{module} required user_{USER}="{PASSWORD}";',
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={self.made.broker}",
        ]
        with (self.folder / "server.properties").open("a") as properties:
            properties.write("\n" + "\n".join(lines) + "\n")
        return launch

    def client(self, **changed: Any) -> dict[str, Any]:
        """Settings of a client that is let in, and what a test wants otherwise."""
        return {
            "kafka_bootstrap_servers": f"{HOST}:{self.secure_port}",
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_username": USER,
            "kafka_sasl_password": PASSWORD,
            "kafka_ssl_cafile": self.made.authority,
            **changed,
        }


@contextmanager
def secure_broker() -> Iterator[SecureKafka]:
    """A running broker on free ports, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="market-streams-secure-") as folder:
        path = Path(folder)
        kafka = SecureKafka(own_settings(path / "state"), certificates(path / "certificates"))
        kafka.start()
        try:
            yield kafka
        finally:
            kafka.stop()
