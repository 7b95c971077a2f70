"""From a venue's socket to records: connect, subscribe, hold, fill, publish, say how it goes."""
