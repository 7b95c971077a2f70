"""An oracle for the window models: the same windows by DuckDB, from the ground-truth ledger.

It shares no code and no SQL with the Flink jobs. Sums are exact DECIMAL sums of DuckDB; quotients
are divided here in :mod:`decimal`, because DuckDB divides decimals as floats.
"""
