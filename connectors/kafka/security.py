"""How Kafka clients prove who they are: the same settings for both libraries.

Secrets come from the environment and go to the clients only; no text here names their values.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

from connectors.errors import BrokerUnreachable, ConfigurationError, ConnectorError
from connectors.settings import Settings

RDKAFKA_NAMES = {
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
}
"""librdkafka's name of each of kafka-python's options."""

PROBE_TIMEOUT = 5.0
"""Seconds to find out why a client is not let in."""

SILENT = logging.getLogger(f"{__name__}.probe")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


def kafka_python_security(settings: Settings) -> dict[str, Any]:
    """Options for kafka-python's clients: consumers, admin, producer."""
    _check(settings)
    options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
    if _sasl(settings):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    if _tls(settings):
        for name in ("cafile", "certfile", "keyfile"):
            path = getattr(settings, f"kafka_ssl_{name}")
            if path is not None:
                options[f"ssl_{name}"] = str(path)
    return options


def librdkafka_security(settings: Settings) -> dict[str, Any]:
    """Options for librdkafka; none for a plaintext listener."""
    _check(settings)
    if settings.kafka_security_protocol == "PLAINTEXT":
        return {}
    theirs = kafka_python_security(settings)
    return {RDKAFKA_NAMES[name]: value for name, value in theirs.items()}


def check_access(bootstrap: str, security: Mapping[str, Any] | None) -> None:
    """Raise ConfigurationError where a broker refuses our login, or we its certificate.

    kafka-python tries again and again without a word of the reason, so librdkafka is asked first.
    Nothing is raised where no broker answers, or where that library is not installed.

    Args:
        bootstrap: Addresses of brokers.
        security: From `kafka_python_security`.
    """
    if not security or security.get("security_protocol") == "PLAINTEXT":
        return
    fault = _fault(bootstrap, _refusal(bootstrap, security))
    if fault is not None:
        raise fault


def unreachable(bootstrap: str, cause: object) -> ConnectorError:
    """The error to raise where a client could not connect: it names the setting at fault."""
    text = str(cause) or type(cause).__name__
    return _fault(bootstrap, text) or BrokerUnreachable(bootstrap, text)


def _fault(bootstrap: str, text: str) -> ConfigurationError | None:
    """What a client's words mean; None where they tell of no setting."""
    lower = text.lower()
    if "mechanism" in lower:
        return ConfigurationError(
            f"Kafka at {bootstrap} does not take this login ({text}): set KAFKA_SASL_MECHANISM"
        )
    if "certificate verify failed" in lower:
        return ConfigurationError(
            f"the certificate of Kafka at {bootstrap} is not trusted ({text}): "
            "KAFKA_SSL_CAFILE must be the PEM file of the authority that signed it"
        )
    if "authentication" in lower and "timed out" not in lower:
        return ConfigurationError(
            f"Kafka at {bootstrap} refuses the login ({text}): "
            "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
        )
    if "ssl handshake failed" in lower:
        return ConfigurationError(
            f"no TLS with Kafka at {bootstrap} ({text}): check KAFKA_SECURITY_PROTOCOL, "
            "KAFKA_SSL_CAFILE, KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
        )
    return None


def _refusal(bootstrap: str, security: Mapping[str, Any]) -> str:
    """librdkafka's words where it cannot connect; nothing where it can."""
    try:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient
    except ImportError:  # Airflow's environment
        return ""
    errors: list[str] = []
    options: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "error_cb": lambda error: errors.append(error.str()),
        "logger": SILENT,
        **{RDKAFKA_NAMES[one]: security[one] for one in RDKAFKA_NAMES if one in security},
    }
    client = AdminClient(options)
    deadline = time.monotonic() + PROBE_TIMEOUT
    while time.monotonic() < deadline:
        try:
            client.list_topics(timeout=0.5)
            return ""
        except KafkaException:
            client.poll(0)
        for text in errors:
            if _fault(bootstrap, text) is not None:
                return text
    return ""


def _sasl(settings: Settings) -> bool:
    return settings.kafka_security_protocol.startswith("SASL_")


def _tls(settings: Settings) -> bool:
    return settings.kafka_security_protocol.endswith("SSL")


def _check(settings: Settings) -> None:
    """ConfigurationError names what is missing, never a value."""
    if _sasl(settings):
        for name in ("kafka_sasl_username", "kafka_sasl_password"):
            if not getattr(settings, name):
                protocol = settings.kafka_security_protocol
                raise ConfigurationError(
                    f"{name.upper()} is empty, and KAFKA_SECURITY_PROTOCOL={protocol} needs it"
                )
    for name in ("cafile", "certfile", "keyfile"):
        path = getattr(settings, f"kafka_ssl_{name}")
        if _tls(settings) and path is not None and not path.is_file():
            raise ConfigurationError(f"KAFKA_SSL_{name.upper()}: there is no file {path}")
