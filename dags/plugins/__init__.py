"""What the batch adds to Airflow's own pages."""
