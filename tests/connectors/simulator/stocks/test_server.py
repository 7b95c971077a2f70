"""Runs of the server."""

import json
import threading
import urllib.error
from datetime import date
from urllib.request import urlopen

import pytest

from connectors.simulator.stocks.faults import Fault
from connectors.simulator.stocks.server import Settings, in_thread

SETTINGS = Settings(symbols=3, today=date(2026, 11, 20))


def test_a_thread_serves_callers_without_a_loop() -> None:
    """And is gone at the end, with its port."""
    threads = threading.active_count()
    with in_thread(SETTINGS) as running:
        state = json.load(urlopen(f"{running.addresses['control']}/state"))
        assert state["ordinary"] == 3
    with pytest.raises(urllib.error.URLError):
        urlopen(f"{running.url}/control/state")
    assert threading.active_count() == threads


def test_it_ends_with_an_error_inside_and_while_clients_hang() -> None:
    """At once."""
    threads = threading.active_count()
    hanging = Settings(symbols=3, today=date(2026, 11, 20), faults=(Fault(kind="hang"),))
    with pytest.raises(RuntimeError, match="mine"), in_thread(hanging) as running:
        with pytest.raises(TimeoutError):
            urlopen(f"{running.url}/v8/finance/chart/7203.T", timeout=0.05)
        raise RuntimeError("mine")
    assert threading.active_count() == threads


def test_settings_that_make_no_sense_are_refused() -> None:
    """By the caller's thread."""
    with pytest.raises(ValueError, match="fewer years"), in_thread(Settings(years=40)):
        pass
