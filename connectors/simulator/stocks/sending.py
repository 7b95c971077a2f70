"""Answers onto a connection, whole or broken, and the count of what truly went out."""

import asyncio
import socket
import struct

from aiohttp import web

from connectors.simulator.stocks.replies import Reply

HANG_SECONDS = 3600.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


async def send(request: web.Request, reply: Reply) -> web.Response:
    """Write a whole answer; ConnectionError where the client went away before its end.

    It returns when the operating system has taken all bytes.
    """
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client is gone")
    transport.set_write_buffer_limits(high=0)
    response = _response(reply)
    await response.prepare(request)
    await response.write_eof()
    return response


async def hang(request: web.Request, seconds: float | None) -> web.Response:
    """Say nothing for a while, then close."""
    await asyncio.sleep(HANG_SECONDS if seconds is None else seconds)
    return _cut(request)


def reset(request: web.Request) -> web.Response:
    """Cut the connection with a reset."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        request.transport.abort()
    return web.Response()


async def truncated(request: web.Request, reply: Reply) -> web.Response:
    """Announce a body and send only the half of it."""
    response = web.StreamResponse(status=reply.status)
    response.content_type = reply.content_type
    response.content_length = len(reply.body)
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    return _cut(request)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def _response(reply: Reply) -> web.Response:
    response = web.Response(
        status=reply.status, body=reply.body, content_type=reply.content_type, charset="utf-8"
    )
    response.headers.update(reply.headers)
    return response
