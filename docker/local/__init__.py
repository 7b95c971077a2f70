"""Kafka, PostgreSQL and Flink as processes of this machine, all on 127.0.0.1."""
