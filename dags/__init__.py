"""Airflow DAGs, and the batch engine and plugin that they use."""
