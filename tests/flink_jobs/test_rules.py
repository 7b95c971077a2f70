"""How changes of rules are shown."""

from flink_jobs import rules

OLD = {"threshold": 100, "severity": "warning", "cool_down": 60, "enabled": True}


def test_a_change_names_what_differs() -> None:
    """Old and new value, numbers without trailing zeros, on and off for the switch."""
    new = {**OLD, "threshold": "7.50", "enabled": False}
    assert rules.difference(OLD, new) == "threshold 100 > 7.5, enabled on > off"
    assert rules.difference(OLD, dict(OLD)) == "nothing"


def test_a_new_and_a_removed_rule_are_told_whole() -> None:
    """With all values."""
    assert rules.difference(None, OLD).startswith('made: {"threshold": 100')
    assert rules.difference(OLD, None).startswith("removed: ")
