"""Security settings become the options of both clients; secrets are never shown."""

from pathlib import Path

import pytest

from connectors.errors import BrokerUnreachable, ConfigurationError
from connectors.kafka.security import (
    check_access,
    kafka_python_security,
    librdkafka_security,
    unreachable,
)
from connectors.settings import load_settings

LOGIN = {"kafka_sasl_username": "feed", "kafka_sasl_password": "hunter2"}


def test_a_plaintext_listener_needs_nothing() -> None:
    """The local stack's clients are as before."""
    settings = load_settings()
    assert librdkafka_security(settings) == {}
    assert kafka_python_security(settings) == {"security_protocol": "PLAINTEXT"}


def test_sasl_and_tls_are_said_to_both_clients(tmp_path: Path) -> None:
    """Protocol, mechanism, login and files."""
    authority = tmp_path / "ca.pem"
    authority.touch()
    settings = load_settings(
        kafka_security_protocol="SASL_SSL", kafka_ssl_cafile=authority, **LOGIN
    )
    assert kafka_python_security(settings) == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "feed",
        "sasl_plain_password": "hunter2",
        "ssl_cafile": str(authority),
    }
    assert librdkafka_security(settings) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "feed",
        "sasl.password": "hunter2",
        "ssl.ca.location": str(authority),
    }


@pytest.mark.parametrize("options", [kafka_python_security, librdkafka_security])
@pytest.mark.parametrize("missing", LOGIN)
def test_a_missing_login_is_named(options: object, missing: str) -> None:
    """The variable is named, and why it is needed."""
    settings = load_settings(kafka_security_protocol="SASL_SSL", **{**LOGIN, missing: ""})
    with pytest.raises(ConfigurationError, match=f"{missing.upper()} is empty.*SASL_SSL"):
        options(settings)  # type: ignore[operator]


def test_a_missing_file_is_named() -> None:
    """Before any connection is tried."""
    settings = load_settings(kafka_security_protocol="SSL", kafka_ssl_cafile="/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match=r"KAFKA_SSL_CAFILE.*/nowhere/ca\.pem"):
        librdkafka_security(settings)


def test_the_password_is_in_no_text_of_the_settings() -> None:
    """Neither printed nor in an error about another setting."""
    settings = load_settings(kafka_security_protocol="SASL_SSL", **LOGIN)
    assert "hunter2" not in f"{settings!r} {settings}"
    with pytest.raises(ConfigurationError) as failed:
        load_settings(kafka_security_protocol="TLS", **LOGIN)
    assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize(
    ("words", "kind", "named"),
    [
        (
            "sasl_ssl://127.0.0.1:1/bootstrap: SASL authentication error: Authentication failed: "
            "Invalid username or password",
            ConfigurationError,
            "KAFKA_SASL_PASSWORD",
        ),
        (
            "SASL SCRAM-SHA-256 mechanism handshake failed: Broker: Unsupported SASL mechanism: "
            "broker's supported mechanisms: PLAIN",
            ConfigurationError,
            "KAFKA_SASL_MECHANISM",
        ),
        (
            "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker "
            "certificate could not be verified",
            ConfigurationError,
            "KAFKA_SSL_CAFILE",
        ),
        ("SSL handshake failed: wrong version number", ConfigurationError, "SECURITY_PROTOCOL"),
        ("Connect to ipv4#127.0.0.1:1 failed: Connection refused", BrokerUnreachable, "make up"),
    ],
)
def test_what_a_client_says_names_the_setting(words: str, kind: type, named: str) -> None:
    """Both libraries' words; what tells of no setting is a broker that does not answer."""
    error = unreachable("127.0.0.1:1", RuntimeError(words))
    assert type(error) is kind and named in str(error) and words in str(error)


def test_nobody_is_asked_about_a_plaintext_listener() -> None:
    """It costs the local stack nothing."""
    check_access("127.0.0.1:1", None)
    check_access("127.0.0.1:1", kafka_python_security(load_settings()))
