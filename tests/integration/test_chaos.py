"""Everything breaks at once, and the exchange's ledger judges what is in the topics.

A seed fixes what is done and when. `MARKET_STREAMS_CHAOS_SEED=n` runs another one; seeds that
failed are kept in `chaos_seeds.txt`.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from urllib.error import HTTPError

import pytest

from connectors.events import BookUpdate
from connectors.kafka.topics import partition_of
from tests.connectors.feed.running import read_topic
from tests.connectors.kafka.own_broker import own_broker
from tests.integration.chaos_judge import (
    Book,
    Evidence,
    faults_to_tell,
    judge_books,
    judge_statuses,
    judge_trades,
    read_ledger,
)
from tests.integration.chaos_plan import FORMS, LONG, SHORT, VENUES, Form, plan
from tests.integration.chaos_world import PREFIX, SYMBOLS, World, world

pytestmark = pytest.mark.integration
KEPT = Path(__file__).with_name("chaos_seeds.txt")
SEED = int(os.environ.get("MARKET_STREAMS_CHAOS_SEED", "1"))
LEAST_JUDGED = 5
"""Faults whose status must have been looked for."""
SETTLE = 15.0
"""Seconds of peace at the end: holes are asked for, books joined."""


def kept_runs() -> list[tuple[str, int]]:
    """Form and seed of the runs that failed once."""
    lines = [line.split() for line in KEPT.read_text(encoding="utf-8").splitlines()]
    return [(words[0], int(words[1])) for words in lines if words and words[0] != "#"]


def keep(form: Form, seed: int) -> None:
    """Remember a run that failed."""
    if (form.name, seed) not in kept_runs():
        with KEPT.open("a", encoding="utf-8") as kept:
            kept.write(f"{form.name} {seed}\n")


def told_books(here: World, venue: str) -> Callable[[BookUpdate], Book | None]:
    """The exchange's book at the moment of an update of the topic."""

    def truth(update: BookUpdate) -> Book | None:
        # Binance numbers its books; the others' frames carry the time of theirs.
        by_number = venue == "binance"
        moment = f"sequence={update.sequence}" if by_number else f"time={update.ts_event}"
        path = f"/book?exchange={venue}&symbol={update.symbol}&{moment}"
        try:
            book = here.exchange.call(path)
        except HTTPError as error:
            assert error.code == 404, path
            return None
        bids, asks = ({Decimal(p): Decimal(s) for p, s in book[side]} for side in ("bids", "asks"))
        return bids, asks

    return truth


def verdict(here: World) -> list[str]:
    """What is wrong in the topics."""
    judged = 0
    problems = [fault for one in here.connectors.values() for fault in one.faults]
    ledger = read_ledger(here.exchange.ledger)
    for venue in VENUES:
        partition = partition_of(venue)

        def read(name: str, partition: int = partition) -> list[dict[str, object]]:
            topic = f"{PREFIX}market.{name}"
            return [record.json for record in read_topic(here.bootstrap, topic, partition)]

        trades = [one for one in read("trades") if one["event_type"] == "trade"]
        deeds = [deed for deed in here.deeds if deed.target in (venue, "broker")]
        evidence = Evidence(venue, trades, read("status"), ledger[venue], deeds)
        problems += judge_trades(evidence) + judge_statuses(evidence)
        told = Counter(line["kind"] for line in faults_to_tell(evidence))
        judged += told.total()
        kinds = Counter(status["kind"] for status in evidence.statuses)
        missing = sum(1 for _ in evidence.lines("trade")) - len(trades)
        starts = here.connectors[venue].starts
        print(
            f"{venue}: {starts} starts, {len(trades)} trades, {missing} missing; "
            f"statuses {dict(kinds)}; faults judged {dict(told)}"
        )
        records = read_topic(here.bootstrap, f"{PREFIX}market.books", partition)
        symbols = {line["symbol"] for line in evidence.lines("trade")}
        problems += judge_books(venue, records, told_books(here, venue), symbols)
    if judged < LEAST_JUDGED:
        problems.append(f"only {judged} faults hit a connector in peace: the plan proves little")
    return problems


def run(form: Form, seed: int, folder: Path) -> None:
    """One run and its verdict."""
    with own_broker() as broker, world(broker, folder, seed) as here:
        begun = time.monotonic()
        here.perform(plan(seed, form))
        here.settle(SETTLE)
        assert here.kills == form.kills
        problems = verdict(here)
        lived = time.monotonic() - begun
    if problems:
        keep(form, seed)
        shown = "\n".join(problems[:30])
        pytest.fail(
            f"{form.name} chaos, seed {seed}: {len(problems)} problems in {lived:.0f} s\n{shown}"
        )


def test_the_market_has_thirty_symbols_on_three_venues_and_every_fault_in_the_short_plan() -> None:
    """What a run does is fixed by its seed, and complete."""
    actions = plan(SEED, SHORT)
    assert SYMBOLS * len(VENUES) >= 30
    assert actions == plan(SEED, SHORT) != plan(SEED + 1, SHORT)
    assert sum(action.what == "kill" for action in actions) == 5
    assert {action.what for action in actions} == {"fault", "kill", "stop", "kill9"}
    assert sum(action.what == "kill" for action in plan(SEED, LONG)) >= 20


@pytest.mark.timeout(500)
@pytest.mark.parametrize("seed", [SEED])
def test_nothing_is_lost_doubled_or_untold(seed: int, tmp_path: Path) -> None:
    """Five kills -9, two broker outages, every fault on every venue."""
    run(SHORT, seed, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("form", "seed"), [(LONG.name, SEED), *kept_runs()])
def test_nothing_is_lost_doubled_or_untold_in_ten_minutes(
    form: str, seed: int, tmp_path: Path
) -> None:
    """24 kills -9, four broker outages, one of a minute; every fault four times; kept seeds too."""
    run(FORMS[form], seed, tmp_path)
