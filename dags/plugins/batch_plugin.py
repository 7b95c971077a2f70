"""The page "Batch" inside Airflow: live progress of the batch, and its buttons.

Airflow reads this file in every process, each task's among them. The page and what it needs are
therefore imported by the first request and not before: that would cost every task seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class OnFirstRequest:
    """The ASGI application of the page, imported when it is asked something."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        application = await asyncio.to_thread(_application)
        await application(scope, receive, send)


def _application() -> Any:
    from dags.plugins.batch_page.app import app

    return app


class BatchPlugin(AirflowPlugin):
    """An application below /batch, and an entry in the navigation that shows its page."""

    name = "batch"
    fastapi_apps = [  # noqa: RUF012 - the attribute is Airflow's
        {"app": OnFirstRequest(), "url_prefix": "/batch", "name": "batch"}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Batch",
            # Relative: Airflow may live below a path of its own.
            "href": "batch/page",
            "destination": "nav",
            "url_route": "batch",
        }
    ]
