"""Flink SQL jobs: models under `sql/` become running jobs."""
