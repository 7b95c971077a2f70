"""One Flink inside this process, for all cases of a session.

Without it every query would start and stop a mini-cluster of its own: half of a case's time.
"""

import os
from functools import cache
from typing import Any

JVM_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC"
OPTIONS = {
    "rest.address": "localhost",
    "rest.bind-address": "127.0.0.1",
    "rest.port": "0",
    "rest.bind-port": "0",
    "taskmanager.memory.network.min": "64m",
    "taskmanager.memory.network.max": "64m",
    "taskmanager.memory.managed.size": "256m",
    "rest.connection-timeout": "60 s",
}


@cache
def options() -> dict[str, str]:
    """Flink options that send queries to this session's cluster; the first call starts it."""
    os.environ.setdefault("JVM_ARGS", JVM_OPTIONS)
    from pyflink.java_gateway import get_gateway

    port = _start(get_gateway().jvm).getRestAddress().get().getPort()
    return {"execution.target": "remote", "rest.address": "localhost", "rest.port": str(port)}


def _start(jvm: Any) -> Any:
    package = jvm.org.apache.flink.runtime.minicluster
    configuration = jvm.org.apache.flink.configuration.Configuration()
    for key, value in OPTIONS.items():
        configuration.setString(key, value)
    builder = package.MiniClusterConfiguration.Builder().setConfiguration(configuration)
    cluster = package.MiniCluster(builder.setNumSlotsPerTaskManager(4).build())
    cluster.start()
    return cluster
