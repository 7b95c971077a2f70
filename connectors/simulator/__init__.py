"""A local exchange: speaks Binance's, Coinbase Advanced Trade's and Kraken's own protocols.

Real clients run against it unchanged. It makes a seeded market (or plays a recording), breaks
things on command, and keeps a ledger of everything that it truly sent::

    python -m connectors.simulator --since 2h --catch-up 200x --ledger ledger.jsonl

It shares no code with the venue adapters: it is the independent other side of the wire.
"""
