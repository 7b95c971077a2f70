"""Market data from exchanges to Kafka: connect, normalise, publish."""
