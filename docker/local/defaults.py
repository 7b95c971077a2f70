"""Ports, groups and sizes of the stack. Only the standard library: set-up reads this too."""

PORTS: dict[str, int] = {
    "KAFKA_PORT": 19092,
    "KAFKA_CONTROLLER_PORT": 19093,
    "POSTGRES_PORT": 15432,
    "FLINK_REST_PORT": 18081,
    "FLINK_RPC_PORT": 16123,
    "AIRFLOW_PORT": 18080,
}
"""Default port by environment variable."""

LISTENERS: dict[str, tuple[str, ...]] = {
    "kafka": ("KAFKA_PORT", "KAFKA_CONTROLLER_PORT"),
    "postgres": ("POSTGRES_PORT",),
    "jobmanager": ("FLINK_REST_PORT", "FLINK_RPC_PORT"),
    "airflow-api": ("AIRFLOW_PORT",),
}
"""Port variables by service."""

GROUPS: dict[str, tuple[str, ...]] = {
    "market": ("kafka", "postgres", "jobmanager", "taskmanager"),
    "batch": (
        "postgres",
        "airflow-api",
        "airflow-scheduler",
        "airflow-processor",
        "airflow-triggerer",
    ),
}
"""Services that are used together."""

MEMORY_GIB: dict[str, float] = {"market": 3, "batch": 2.5}
"""Memory that a group needs beside what the machine uses already."""
