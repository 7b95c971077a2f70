"""Listed stocks: the exchange's list of them, and their daily bars from Yahoo Finance.

Runs in Airflow's environment. `bars.py` is the contract that the batch builds on.
"""
