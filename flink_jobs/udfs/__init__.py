"""Python functions for SQL: plain functions first, wrapped for Flink beside them."""
