"""What faults make of a chart: pure changes of its columns, in place."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from connectors.simulator.stocks.chart import Document, time_of
from connectors.simulator.stocks.faults import Fault

PRICES = ("open", "high", "low", "close")


def damage(document: Document, fault: Fault) -> bool:
    """Change the bars of a chart as the fault's kind says; False where it leaves them alone."""
    change = _CHANGES.get(fault.kind)
    if change is None:
        return False
    result = document["chart"]["result"][0]
    change(result, _places(result["timestamp"], fault))
    return True


def empty(document: Document) -> Document:
    """The chart without any bar."""
    meta = document["chart"]["result"][0]["meta"]
    result = {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}
    return {"chart": {"result": [result], "error": None}}


def _places(times: list[int], fault: Fault) -> list[int]:
    """Which bars are hit: those of the days named, or some by chance but always the same."""
    if fault.days is not None:
        wanted = {time_of(day) for day in fault.days}
        return [place for place, time in enumerate(times) if time in wanted]
    random = Random(f"{fault.kind}/{len(times)}")
    return sorted(random.sample(range(len(times)), min(fault.rows, len(times))))


def _columns(result: Document) -> Iterable[list[Any]]:
    yield result["timestamp"]
    yield from result["indicators"]["quote"][0].values()
    yield result["indicators"]["adjclose"][0]["adjclose"]


def _null_rows(result: Document, places: list[int]) -> None:
    for column in list(_columns(result))[1:]:
        for place in places:
            column[place] = None


def _null_closes(result: Document, places: list[int]) -> None:
    for place in places:
        result["indicators"]["quote"][0]["close"][place] = None
        result["indicators"]["adjclose"][0]["adjclose"][place] = None


def _negative_volumes(result: Document, places: list[int]) -> None:
    volumes = result["indicators"]["quote"][0]["volume"]
    for place in places:
        volumes[place] = -volumes[place]


def _broken_prices(result: Document, places: list[int]) -> None:
    quote = result["indicators"]["quote"][0]
    for place in places:
        quote["high"][place] = quote["low"][place] / 2


def _hundredfold(result: Document, places: list[int]) -> None:
    quote = result["indicators"]["quote"][0]
    for name in PRICES:
        for place in places:
            quote[name][place] *= 100


def _missing_rows(result: Document, places: list[int]) -> None:
    for column in _columns(result):
        for place in reversed(places):
            del column[place]


def _disorder(result: Document, _: list[int]) -> None:
    order = list(range(len(result["timestamp"])))
    Random(len(order)).shuffle(order)
    for column in _columns(result):
        column[:] = [column[place] for place in order]


def _duplicates(result: Document, places: list[int]) -> None:
    for column in _columns(result):
        for place in reversed(places):
            column.insert(place, column[place])


_CHANGES: dict[str, Callable[[Document, list[int]], None]] = {
    "null_rows": _null_rows,
    "null_closes": _null_closes,
    "negative_volumes": _negative_volumes,
    "broken_prices": _broken_prices,
    "hundredfold": _hundredfold,
    "missing_rows": _missing_rows,
    "disorder": _disorder,
    "duplicates": _duplicates,
}
