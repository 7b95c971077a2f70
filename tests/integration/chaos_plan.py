"""What happens in a chaos run and when: a pure function of the seed."""

from random import Random
from typing import Any, NamedTuple

VENUES = ("binance", "coinbase", "kraken")
SILENCE = 4.0
"""Seconds without a frame after which the connectors of a run give a connection up."""

Details = dict[str, Any]

FAULTS: tuple[tuple[str, Details], ...] = (
    ("disconnect", {}),
    ("half_open", {}),
    ("shutdown", {"delay": 3.0}),
    ("silence", {"seconds": SILENCE + 3}),
    ("slow", {"seconds": 4.0, "delay": 0.7}),
    ("slow_pong", {"seconds": 10.0, "delay": 4.0}),
    ("malformed", {"count": 3, "seconds": 10.0}),
    ("truncate", {"count": 3, "seconds": 10.0}),
    ("disorder", {"seconds": 4.0, "probability": 0.3, "delay": 2.0}),
    ("duplicate", {"seconds": 4.0, "probability": 0.3, "delay": 2.0}),
    ("book_gap", {"count": 3, "seconds": 10.0}),
    ("checksum", {"count": 2, "seconds": 10.0}),
)
"""Each kind with what it needs; times are market seconds, which are real ones in these runs."""

BUSY = {"binance": "BTC-USDT", "coinbase": "BTC-USD", "kraken": "BTC-USD"}
ONE_SYMBOL = ("malformed", "truncate", "book_gap", "checksum")
"""What is lost of a busy symbol shows with its next trade or update, within the run."""
REST_DOWN = 20.0
"""Seconds: longer than three vain tries, so that some trades must be told as gaps."""


class Action(NamedTuple):
    """One thing to do ``at`` seconds after the beginning."""

    at: float
    what: str
    """``fault``, ``kill`` (a connector, -9), ``stop`` or ``kill9`` (the broker)."""
    target: str
    """Venue, or ``broker``."""
    details: Details


class Form(NamedTuple):
    """How large a run is."""

    name: str
    seconds: float
    kills: int
    """Of connectors."""
    rounds: int
    """How often each fault comes on each venue."""
    outages: tuple[tuple[str, float], ...]
    """What is done to the broker, and for how many seconds it is away."""


SHORT = Form("short", 75.0, 5, 1, (("stop", 10.0), ("kill9", 2.0)))
LONG = Form("long", 480.0, 24, 4, (("stop", 60.0), ("kill9", 2.0), ("kill9", 10.0), ("kill9", 2.0)))
FORMS = {form.name: form for form in (SHORT, LONG)}


def plan(seed: int, form: Form) -> list[Action]:
    """The actions of a run by time; the same for the same seed and form."""
    random = Random(f"{seed}/{form.name}")
    actions = _faults(random, form) + _outages(random, form)
    for _ in range(form.kills):
        details = {"restart_after": round(random.uniform(0.0, 2.0), 2)}
        at = round(random.uniform(1.0, form.seconds), 2)
        actions.append(Action(at, "kill", random.choice(VENUES), details))
    return sorted(actions, key=lambda action: action.at)


def _faults(random: Random, form: Form) -> list[Action]:
    """Every kind on every venue, ``rounds`` times, in any order, evenly spread."""
    every = [
        (venue, kind, details)
        for _ in range(form.rounds)
        for venue in VENUES
        for kind, details in FAULTS
        if kind != "checksum" or venue == "kraken"
    ]
    random.shuffle(every)
    step = form.seconds / len(every)
    actions = []
    for place, (venue, kind, details) in enumerate(every):
        one = {**details, "symbol": BUSY[venue]} if kind in ONE_SYMBOL else dict(details)
        at = round((place + random.random()) * step, 2)
        actions.append(Action(at, "fault", venue, {"kind": kind, **one}))
    # REST is away while a venue is silent for less than makes a connection dead: what it trades
    # in that time can be had from nowhere.
    for _ in range(form.rounds):
        venue = random.choice(VENUES)
        at = round(random.uniform(0.1, 0.6) * form.seconds, 2)
        silence = {"kind": "silence", "seconds": SILENCE - 1.5}
        actions.append(Action(at, "fault", venue, {"kind": "rest_down", "seconds": REST_DOWN}))
        actions.append(Action(at + 1, "fault", venue, silence))
    return actions


def _outages(random: Random, form: Form) -> list[Action]:
    """The broker goes and comes: one after the other, at a random moment of its share."""
    share = form.seconds / len(form.outages)
    actions = []
    for place, (what, away) in enumerate(form.outages):
        # A start takes some seconds too.
        latest = max(1.0, share - away - 12.0)
        at = round(place * share + random.uniform(1.0, latest), 2)
        actions.append(Action(at, what, "broker", {"seconds": away}))
    return actions
