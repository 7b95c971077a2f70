"""The test kit of models: given rows, expected rows, the unchanged SELECT on Flink between them."""
