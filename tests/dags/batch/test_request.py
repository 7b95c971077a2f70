"""The params of a run as a whole."""

from datetime import date
from typing import Any

import pytest

from dags.batch.models import Mode
from dags.batch.params import fields
from dags.batch.request import BadRequest, code_of, parse, settings_of

DAY = date(2026, 11, 20)
DEFAULTS = {name: field["default"] for name, field in fields().items()}


def faults(backfill: bool = False, **params: Any) -> list[str]:
    """What is wrong with the params."""
    with pytest.raises(BadRequest) as caught:
        parse({**DEFAULTS, **params}, backfill=backfill, session=DAY)
    return caught.value.faults


def test_defaults_mean_ordinary_shares() -> None:
    """Without a word: differential, three markets, foreign ones too, no class shares."""
    request = parse(DEFAULTS, backfill=False, session=DAY)
    assert request.mode == Mode.DIFFERENTIAL
    assert request.segments == {"prime", "standard", "growth"}
    assert request.include_foreign
    assert not request.include_class_shares
    assert request.session is None


def test_flags_add_segments() -> None:
    """ETFs and REITs are segments of their own."""
    request = parse(
        {**DEFAULTS, "include_etf": True, "include_reit": True}, backfill=False, session=DAY
    )
    assert {"etf", "reit"} < request.segments


def test_backfill_is_for_its_session() -> None:
    """Whatever the mode says."""
    request = parse({**DEFAULTS, "mode": "full"}, backfill=True, session=DAY)
    assert (request.mode, request.session) == (Mode.SESSION, DAY)


def test_symbols_are_written_in_many_ways() -> None:
    """Code or Yahoo's name, each stock once."""
    params = {**DEFAULTS, "mode": "symbols", "symbols": ["7203", "7203.T", " 130a "]}
    assert parse(params, backfill=False, session=DAY).codes == ["7203", "130A"]
    assert code_of("7203.t") == "7203"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"mode": "symbols"}, "needs at least one"),
        ({"mode": "failed"}, "needs the execution"),
        ({"mode": "failed", "of": "3", "symbols": ["7203"]}, "leave this empty"),
        ({"mode": "full", "of": "3"}, "mode failed only"),
        ({"mode": "every"}, "mode: every unknown"),
        ({"segments": ["first"]}, "segments: first unknown"),
        ({"symbols": ["toyota"]}, "TOYOTA are no codes"),
    ],
)
def test_what_makes_no_sense_together(params: dict[str, Any], words: str) -> None:
    """Each fault is told with the name of its param."""
    assert [words in fault for fault in faults(**params)] == [True]


def test_all_faults_at_once() -> None:
    """Nobody likes to be told one by one."""
    assert len(faults(mode="full", of="3", segments=["x"], symbols=["!"])) == 3


def test_settings_are_what_is_left() -> None:
    """Empty fields are not asked for; unknown names stay, so that they are refused later."""
    params = {**DEFAULTS, "batch_size": 5, "max_workers": None, "batchsize": 7}
    assert settings_of(params) == {"batch_size": 5, "batchsize": 7}
