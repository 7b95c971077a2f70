"""The batch: every listed stock's daily bars into PostgreSQL, resumable at any moment.

State lives in PostgreSQL (`sql/postgres/batch/`), not in Airflow: Airflow only says when chunks of
stocks are to be worked on. `python -m dags.batch --help` works on the same state.
"""
