"""Who may do what on the page: Airflow's users, with the rights they have on the DAG.

Airflow leaves a plugin's application open. Here every address asks for a user: to look, the right
to read the DAG's runs; to touch, the right to trigger it. A browser sends the login cookie with
every request to this host, whatever page made it; so what changes anything, and the socket, must
also come from a page of our own (`Origin`).
"""

import hmac
import os
from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN, BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import (
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep, resolve_user_from_token
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request, status
from starlette.requests import HTTPConnection

from dags.batch.airflow_api import DAG_ID

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def token_of(connection: HTTPConnection) -> str | None:
    """The caller's token: of the Authorization header, else of the login cookie."""
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    return connection.cookies.get(COOKIE_NAME_JWT_TOKEN)


def has_header_token(connection: HTTPConnection) -> bool:
    """Whether the token was sent on purpose, which no foreign page can make a browser do."""
    return connection.headers.get("authorization", "").lower().startswith("bearer ")


def may(user: BaseUser, method: str) -> bool:
    """Whether the user may read (GET) the DAG's runs, or start and change them (POST)."""
    allowed = get_auth_manager().is_authorized_dag(
        method=method,
        access_entity=DagAccessEntity.RUN,
        details=DagDetails(id=DAG_ID),
        user=user,
    )
    return bool(allowed)


def own_origin(connection: HTTPConnection) -> bool:
    """Whether the page that asks came from here: from the host it asks, or from `base_url`."""
    origin = urlsplit(connection.headers.get("origin", ""))
    if origin.scheme not in ("http", "https") or not origin.netloc:
        return False
    base = urlsplit(conf.get("api", "base_url", fallback=""))
    own = {connection.headers.get("host", ""), base.netloc}
    return origin.netloc in own - {""}


def reader(user: GetUserDep) -> BaseUser:
    """The user, who may look. 401 without a login, 403 without the right."""
    if not may(user, "GET"):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "You may not see the batch's runs.")
    return user


def operator(request: Request, user: GetUserDep) -> BaseUser:
    """The user, who may touch. 403 without the right, or from a foreign page."""
    if not has_header_token(request) and not own_origin(request):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN, "This request did not come from a page of this Airflow."
        )
    if not may(user, "POST"):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            "You may look, not touch: starting and stopping needs a role above viewer.",
        )
    return user


Reader = Annotated[Any, Depends(reader)]
Operator = Annotated[Any, Depends(operator)]


async def watcher_of(connection: HTTPConnection) -> bool:
    """Whether whoever opens the socket may look, and does it from a page of our own."""
    if not has_header_token(connection) and not own_origin(connection):
        return False
    try:
        user = await resolve_user_from_token(token_of(connection))
    except HTTPException:
        return False
    return may(user, "GET")


async def scraper(request: Request) -> None:
    """Let a metrics scraper in: with BATCH_METRICS_TOKEN; without one set, from this host only.

    A request that a proxy forwarded is not from this host. A user who may look may scrape too.
    """
    secret = os.environ.get("BATCH_METRICS_TOKEN", "")
    token = token_of(request)
    if secret and token and hmac.compare_digest(token.encode(), secret.encode()):
        return
    direct = not any(name in request.headers for name in FORWARDED)
    if not secret and request.client and request.client.host in LOOPBACK and direct:
        return
    try:
        reader(await resolve_user_from_token(token))
    except HTTPException as error:
        raise HTTPException(
            error.status_code, "Send the token of BATCH_METRICS_TOKEN as Authorization: Bearer."
        ) from None
