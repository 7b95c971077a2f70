"""A local Yahoo Finance and a local JPX: seeded daily bars of thousands of Tokyo stocks.

Real clients run against it unchanged, once their addresses point here. It speaks Yahoo's chart,
cookie and crumb protocol, serves the exchange's list of issues as .xlsx, breaks things on
command, and counts what it truly served::

    python -m connectors simulate-stocks --symbols 3800 --years 1

Nothing of it is shared with the clients that it tests.
"""
