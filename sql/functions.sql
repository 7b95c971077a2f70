-- Python functions for SQL. They run in a Python worker, so keep them behind an aggregation: one
-- trivial call per trade makes a job about four times slower.
CREATE TEMPORARY FUNCTION basis_points AS 'flink_jobs.udfs.prices.basis_points' LANGUAGE PYTHON;
-- Indicators of technical analysis, over the last 500 bars at most (indicators/*.sql).
CREATE TEMPORARY FUNCTION ema_of AS 'flink_jobs.udfs.indicators.ema_of' LANGUAGE PYTHON;
CREATE TEMPORARY FUNCTION macd_of AS 'flink_jobs.udfs.indicators.macd_of' LANGUAGE PYTHON;
CREATE TEMPORARY FUNCTION macd_signal_of AS 'flink_jobs.udfs.indicators.macd_signal_of' LANGUAGE PYTHON;
CREATE TEMPORARY FUNCTION rsi_of AS 'flink_jobs.udfs.indicators.rsi_of' LANGUAGE PYTHON;
CREATE TEMPORARY FUNCTION bollinger_of AS 'flink_jobs.udfs.indicators.bollinger_of' LANGUAGE PYTHON;
CREATE TEMPORARY FUNCTION atr_of AS 'flink_jobs.udfs.indicators.atr_of' LANGUAGE PYTHON;
CREATE TEMPORARY FUNCTION volatility_of AS 'flink_jobs.udfs.indicators.volatility_of' LANGUAGE PYTHON;
CREATE TEMPORARY FUNCTION bars_of AS 'flink_jobs.udfs.indicators.bars_of' LANGUAGE PYTHON;
