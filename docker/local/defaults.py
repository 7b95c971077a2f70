"""Ports of the stack and who listens on them. Only the standard library: set-up reads this too."""

PORTS: dict[str, int] = {
    "KAFKA_PORT": 19092,
    "KAFKA_CONTROLLER_PORT": 19093,
    "POSTGRES_PORT": 15432,
    "FLINK_REST_PORT": 18081,
    "FLINK_RPC_PORT": 16123,
}
"""Default port by environment variable."""

LISTENERS: dict[str, tuple[str, ...]] = {
    "kafka": ("KAFKA_PORT", "KAFKA_CONTROLLER_PORT"),
    "postgres": ("POSTGRES_PORT",),
    "jobmanager": ("FLINK_REST_PORT", "FLINK_RPC_PORT"),
}
"""Port variables by service."""
