"""How Kafka clients prove who they are: the same settings for both libraries.

Secrets come from the environment and go to the clients only; no text here names their values.
"""

from typing import Any

from connectors.errors import ConfigurationError
from connectors.settings import Settings


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
    options: dict[str, Any] = {"security.protocol": settings.kafka_security_protocol}
    if _sasl(settings):
        options["sasl.mechanism"] = settings.kafka_sasl_mechanism
        options["sasl.username"] = settings.kafka_sasl_username
        options["sasl.password"] = settings.kafka_sasl_password.get_secret_value()
    if _tls(settings):
        names = {
            "kafka_ssl_cafile": "ssl.ca.location",
            "kafka_ssl_certfile": "ssl.certificate.location",
            "kafka_ssl_keyfile": "ssl.key.location",
        }
        for name, option in names.items():
            if (path := getattr(settings, name)) is not None:
                options[option] = str(path)
    return options


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
