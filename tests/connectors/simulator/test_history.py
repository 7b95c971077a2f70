"""The kept trades of a symbol."""

from connectors.simulator.history import History


def test_ranges_are_cut_to_what_is_known() -> None:
    """Asking beyond either end gives what is there."""
    history = History(first_id=100)
    for number in range(5):
        history.append(1000 * number, 10 + number, 1, number % 2 == 0)
    assert [row[0] for row in history.between(98, 103)] == [100, 101, 102]
    assert [row[0] for row in history.last(2)] == [103, 104]
    assert history.between(104, 200) == [(104, 4000, 14, 1, True)]
    assert history.first_at(1001) == 102


def test_oldest_are_forgotten() -> None:
    """Memory is bounded; ids stay right."""
    history = History(first_id=1, keep=100)
    for number in range(1, 1001):
        history.append(number, number, 1, True)
    assert len(history) <= 125
    assert history.between(1000, 1001) == [(1000, 1000, 1000, 1, True)]
    assert history.between(1, 10) == []
