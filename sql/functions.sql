-- Python functions for SQL. They run in a Python worker, so keep them behind an aggregation: one
-- trivial call per trade makes a job about four times slower.
CREATE TEMPORARY FUNCTION basis_points AS 'flink_jobs.udfs.prices.basis_points' LANGUAGE PYTHON;
