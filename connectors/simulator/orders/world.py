"""Who orders what: customers and accounts, categories and goods, places."""

from random import Random
from typing import NamedTuple

CATEGORIES = ("books", "games", "garden", "music", "shoes", "toys")
PLACES = ("Berlin", "Lagos", "Lima", "Osaka", "Oslo", "Paris", "Quito", "São Paulo", "東京")
GOODS_PER_CATEGORY = 20


class Settings(NamedTuple):
    """What the records depend on. Times in µs since the epoch or in seconds; shares from 0 to 1."""

    start_us: int
    seconds: float
    """So long orders are made; what follows from them comes after it."""
    seed: int = 1
    rate: float = 2.0
    """Orders per second; half as many transactions."""
    customers: int = 200
    disorder: float = 0.2
    """Share of records that come up to `spread` seconds later than others of their time."""
    spread: float = 3.0
    late: float = 0.001
    """Share that comes a minute to an hour late."""
    copies: float = 0.01
    """Share that is sent twice."""
    corrupt: float = 0.005
    """Share beside which a corrupted record is sent."""
    beat: float = 1.0
    """Seconds between two heartbeats of a partition."""
    quiet: float = 7200.0
    """A last heartbeat this long after the end, so that windows close."""


class Account(NamedTuple):
    """An account and the place where it is usually used."""

    id: str
    place: str


def account(random: Random, count: int) -> Account:
    """One of `count` accounts; its usual place follows from its number."""
    number = random.randrange(count)
    return Account(f"acc-{number:05d}", PLACES[number % len(PLACES)])


def goods(random: Random) -> tuple[str, str]:
    """Category and article; the first categories sell most."""
    category = CATEGORIES[min(int(random.expovariate(0.6)), len(CATEGORIES) - 1)]
    return category, f"{category}-{random.randrange(GOODS_PER_CATEGORY):02d}"


def price(random: Random, median: float, spread: float, largest: float) -> str:
    """An amount as text, with cents."""
    return f"{min(max(random.lognormvariate(0, spread) * median, 0.01), largest):.2f}"
