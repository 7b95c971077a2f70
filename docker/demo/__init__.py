"""`make demo`: a local exchange, connectors, jobs, a live terminal, and the oracle's verdict."""
