"""How Kafka clients prove who they are: the same settings for both libraries.

Secrets come from the environment and go to the clients only; no text here names their values.
"""

import socket
import ssl
from collections.abc import Mapping
from typing import Any

from connectors.errors import BrokerUnreachable, ConfigurationError, ConnectorError
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


PROBE_TIMEOUT = 3.0
"""Seconds for the TLS handshake that finds out why a client could not connect."""


def unreachable(
    bootstrap: str, cause: object, security: Mapping[str, Any] | None
) -> ConnectorError:
    """The error to raise where a client could not connect: it names the setting at fault.

    Both libraries try a refused certificate again and again and end with a time-out that says
    nothing, so a handshake of our own finds it.

    Args:
        bootstrap: Addresses of brokers.
        cause: What the client said.
        security: From `kafka_python_security`.
    """
    text = str(cause) or type(cause).__name__
    lower = text.lower()
    if "mechanism" in lower and ("support" in lower or "enabled" in lower):
        return ConfigurationError(
            f"Kafka at {bootstrap} does not take this login ({text}): set KAFKA_SASL_MECHANISM"
        )
    if "authentication" in lower and "timed out" not in lower:
        return ConfigurationError(
            f"Kafka at {bootstrap} refuses the login ({text}): "
            "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
        )
    return _tls_fault(bootstrap, security or {}) or BrokerUnreachable(bootstrap, text)


def _tls_fault(bootstrap: str, security: Mapping[str, Any]) -> ConfigurationError | None:
    """What is wrong with a listener's certificate; None where TLS is not the reason."""
    if not str(security.get("security_protocol", "")).endswith("SSL"):
        return None
    host, _, port = bootstrap.split(",")[0].strip().rpartition(":")
    try:
        context = ssl.create_default_context(cafile=security.get("ssl_cafile"))
        if security.get("ssl_certfile"):
            context.load_cert_chain(security["ssl_certfile"], security.get("ssl_keyfile"))
        with (
            socket.create_connection((host, int(port)), PROBE_TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return ConfigurationError(
            f"the certificate of Kafka at {bootstrap} is not trusted ({error.verify_message}): "
            "KAFKA_SSL_CAFILE must be the PEM file of the authority that signed it"
        )
    except ssl.SSLError as error:
        return ConfigurationError(
            f"no TLS with Kafka at {bootstrap} ({error}): check KAFKA_SECURITY_PROTOCOL, "
            "KAFKA_SSL_CAFILE, KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
        )
    except (OSError, ValueError):
        return None


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
