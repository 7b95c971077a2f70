"""`make batch`: every listed stock by Airflow from a local Yahoo and JPX, with a final check."""
