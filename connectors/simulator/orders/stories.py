"""What customers and accounts do: each story gives its events with the time of each."""

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from connectors.kafka import topics
from connectors.simulator.orders import world

ORDERS_PER_SESSION = 2.5
GO_ON = 1 - 1 / ORDERS_PER_SESSION
PAUSE = 240.0
"""Mean seconds between two orders of a session; sessions end by a gap of 30 minutes."""
BURST = 0.004
"""Probability that a transaction begins a burst of large ones in a strange place."""
LARGE = 0.01
ELSEWHERE = 0.02


class Event(NamedTuple):
    """One thing that happened, before it is a record."""

    topic: str
    key: str
    id: str
    at_us: int
    fields: dict[str, Any]


def session(random: Random, settings: world.Settings, number: int, at_us: int) -> Iterator[Event]:
    """A customer's visit: views, then orders, each with its payment, reservation and event."""
    customer = f"cust-{random.randrange(settings.customers):05d}"
    place = 0
    while True:
        place += 1
        name = f"{number}-{place}"
        yield from _order(random, customer, name, at_us)
        if random.random() > GO_ON:
            return
        at_us += round(random.expovariate(1 / PAUSE) * 1e6)


def _order(random: Random, customer: str, name: str, at_us: int) -> Iterator[Event]:
    category, article = world.goods(random)
    amount = world.price(random, 40.0, 1.2, 99_999_999.99)
    for view in range(random.randrange(3)):
        yield _raw(f"view-{name}-{view}", "page_view", customer, None, at_us + view * 900_000)
    at_us += 5_000_000
    order = f"order-{name}"
    fields = {"customer_id": customer, "amount": amount, "category": category}
    yield Event(topics.ORDER_EVENTS.name, customer, order, at_us, {"order_id": order, **fields})
    yield _raw(f"buy-{name}", "purchase", customer, float(amount), at_us)
    held = f"hold-{name}"
    stock = {"order_id": order, "sku": article, "quantity": 1 + random.randrange(4)}
    yield Event(
        topics.STOCK_RESERVATIONS.name,
        article,
        held,
        at_us + 200_000,
        {"reservation_id": held, **stock},
    )
    if random.random() < 0.95:
        paid = f"pay-{name}"
        after = round(random.uniform(1, 20) * 1e6)
        payment = {"payment_id": paid, "order_id": order, "amount": amount}
        yield Event(topics.PAYMENTS.name, order, paid, at_us + after, payment)


def _raw(name: str, kind: str, user: str, amount: float | None, at_us: int) -> Event:
    data = {} if amount is None else {"amount": amount}
    fields = {"event_id": name, "event_type": kind, "user": {"id": user}, "data": data}
    return Event(topics.RAW_EVENTS.name, user, name, at_us, fields)


def transactions(
    random: Random, settings: world.Settings, number: int, at_us: int
) -> Iterator[Event]:
    """One transaction of an account, or a burst of large ones far from its usual place."""
    account = world.account(random, settings.customers)
    burst = random.random() < BURST
    for place in range(random.randint(3, 5) if burst else 1):
        name = f"tx-{number}-{place}"
        large = burst or random.random() < LARGE
        amount = f"{random.uniform(110_000, 600_000):.2f}" if large else None
        strange = burst or random.random() < ELSEWHERE
        fields = {
            "id": name,
            "account_id": account.id,
            "amount": amount or world.price(random, 120.0, 1.3, 90_000.0),
            "location": random.choice(world.PLACES) if strange else account.place,
            "usual_location": account.place,
        }
        yield Event(topics.TRANSACTIONS.name, account.id, name, at_us, fields)
        at_us += round(random.uniform(5, 90) * 1e6)
