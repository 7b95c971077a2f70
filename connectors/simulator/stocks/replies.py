"""Answers as bytes: what Yahoo's front and its service say when something is wrong."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from connectors.simulator.stocks.chart import Document, Refused, error, not_found
from connectors.simulator.stocks.faults import Fault

JSON, HTML, TEXT = "application/json", "text/html", "text/plain"


class Reply(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = MappingProxyType({})


def document(value: Document, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status, msgspec.json.encode(value))


def refusal(refused: Refused) -> Reply:
    """The answer to a request that was refused."""
    return document(refused.document, refused.status)


def page(status: int, title: str) -> Reply:
    """An HTML page that says no more than its title."""
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(status, body.encode(), HTML)


def invalid_crumb() -> Reply:
    """The crumb is wrong or not there."""
    fault = {"code": "Unauthorized", "description": "Invalid Crumb"}
    return document({"finance": {"result": None, "error": fault}}, 401)


def of_fault(fault: Fault) -> Reply | None:
    """The answer that a fault puts in place of the right one; None where it puts none."""
    if fault.kind == "rate_limit":
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return Reply(429, b"Edge: Too Many Requests", HTML, headers)
    return _REPLIES.get(fault.kind)


_REPLIES = {
    "not_found": refusal(not_found()),
    "server_error": page(500, "Internal Server Error"),
    "server_error_json": document(error("Internal Server Error", "upstream failure"), 500),
    "bad_gateway": page(502, "Bad Gateway"),
    "unavailable": page(503, "Service Unavailable"),
    "forbidden": page(403, "Access Denied"),
    "unauthorized": invalid_crumb(),
    "malformed": Reply(200, b'{"chart":{"result":[{"meta":{"currency":"JPY",}'),
    "html": page(200, "Yahoo"),
    "down": page(200, "Will be right back..."),
}
