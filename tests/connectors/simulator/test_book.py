"""Changes between two books."""

from connectors.simulator.book import BookFeed, changes


def test_changes_lead_from_one_book_to_the_other() -> None:
    """Applied to the old book they give the new one; size zero removes a level."""
    before, after = {10: 5, 9: 4, 8: 3}, {10: 5, 9: 7, 11: 1}
    book = dict(before)
    for price, size in changes(before, after):
        if size:
            book[price] = size
        else:
            del book[price]
    assert book == after
    assert changes(after, after) == []


def test_levels_seen_between_two_steps_are_told() -> None:
    """A level that came, was seen and went is removed by the next step."""
    feed = BookFeed()
    feed.reset({10: 1}, {}, 100)
    feed.shown([12, 10], [])
    assert feed.next({10: 1}, {}, 101) == (101, [(10, 1), (12, 0)], [])
    assert feed.next({10: 1}, {}, 102) == (102, [], [])


def test_update_ids_of_a_feed_join() -> None:
    """Each step begins one after the end of the last."""
    feed = BookFeed()
    feed.reset({10: 1}, {11: 1}, 100)
    assert feed.next({10: 2}, {11: 1}, 104) == (101, [(10, 2)], [])
    assert feed.next({10: 2}, {12: 1}, 107) == (105, [], [(12, 1), (11, 0)])
