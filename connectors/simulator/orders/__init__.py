"""Orders, events, transactions, payments and stock reservations, as other teams would write them.

Pure core: `stream` gives records in the order in which they arrive, `writer` puts them into Kafka
and into a ledger. Same settings, same records to the byte.
"""
