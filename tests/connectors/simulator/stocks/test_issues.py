"""What is listed."""

import re
from collections import Counter
from datetime import date

from connectors.simulator.stocks.issues import Segment, make_issues, new_issue

DAY = date(2026, 11, 1)


def test_a_full_list_has_the_proportions_of_the_real_one() -> None:
    """Segments, five-character codes and codes with a letter."""
    issues = make_issues(3712, 7, DAY)
    segments = Counter(issue.segment for issue in issues)
    for segment in Segment:
        extra = 6 if segment is Segment.PRIME else 0  # class shares
        assert abs(segments[segment] - segment.usual - extra) <= 1, segment
    assert sum(len(issue.code) == 5 for issue in issues) == 7
    assert 100 < sum(issue.code[3].isalpha() for issue in issues) < 300


def test_the_number_asked_for_are_ordinary_shares() -> None:
    """Everything else comes on top, at least one of each kind."""
    for count in (1, 5, 40):
        issues = make_issues(count, 7, DAY)
        assert sum(issue.ordinary for issue in issues) == count
        segments = {issue.segment for issue in issues}
        assert {Segment.PRO, Segment.FUND, Segment.REIT, Segment.CONTRIBUTION} <= segments


def test_codes_are_unique_valid_and_in_order() -> None:
    """Four characters as 7203 and 130A, or five."""
    codes = [issue.code for issue in make_issues(500, 3, DAY)]
    assert codes == sorted(set(codes))
    assert all(re.fullmatch(r"[0-9][0-9A-Z][0-9][0-9A-Z][0-9]?", code) for code in codes)
    assert {"7203", "130A"} <= set(codes)


def test_the_same_arguments_give_the_same_issues() -> None:
    """Another seed gives other ones."""
    assert make_issues(50, 1, DAY) == make_issues(50, 1, DAY) != make_issues(50, 2, DAY)


def test_some_are_young_and_codes_with_a_letter_are_two_years_old_at_most() -> None:
    """All are listed before the day given."""
    issues = make_issues(1000, 7, DAY)
    ages = {issue.code: (DAY - issue.listed).days for issue in issues}
    assert min(ages.values()) >= 30
    assert 10 < sum(age < 365 for age in ages.values()) < 150
    assert all(age < 731 for code, age in ages.items() if code[3].isalpha())


def test_a_newcomer_is_on_growth() -> None:
    """From its first day on."""
    issue = new_issue("555A", DAY, 7)
    assert (issue.segment, issue.listed, issue.symbol) == (Segment.GROWTH, DAY, "555A.T")
