"""Airflow's real simple auth manager with an admin and a viewer, without its server."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest


class Tokens(NamedTuple):
    """Logins, as Airflow's own login page hands them out."""

    admin: str
    viewer: str


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Tokens]:
    """Tokens of an admin and of a viewer, who are known to Airflow while the test runs."""
    for name, value in {
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "ada:admin,vera:viewer",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(tmp_path / "passwords.json"),
        "API_AUTH__JWT_SECRET": "to sign with " * 6,
    }.items():
        monkeypatch.setenv(f"AIRFLOW__{name}", value)
    from airflow import settings
    from airflow.api_fastapi.app import init_auth_manager, purge_cached_app
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models.revoked_token import RevokedToken

    purge_cached_app()
    # The one table that a token is checked against: it may have been logged out.
    RevokedToken.__table__.create(settings.engine, checkfirst=True)
    manager = init_auth_manager()
    users = [("ada", "ADMIN"), ("vera", "VIEWER")]
    made = [
        manager.generate_jwt(SimpleAuthManagerUser(username=name, role=role))
        for name, role in users
    ]
    yield Tokens(*made)
    purge_cached_app()
