"""Does a number's text fit the columns it will be read into?

Prices are read as ``DECIMAL(19, 10)`` and sizes as ``DECIMAL(18, 8)``: at most 9 (10) digits
before the point and 10 (8) after it, zeros at the end not counted. Only plain decimal text passes:
no sign, no exponent, no spaces, ASCII digits on both sides of the point.

>>> "68016.19000000" in PRICES, "1e5" in PRICES, "1234567890" in PRICES
(True, False, False)
"""

import re

MEMO = 65_536
"""Texts remembered per kind; beyond it the memory starts anew, so it stays under 10 MB."""


class Decimals:
    """The texts of one kind of number. Remembers what it has checked: texts repeat a lot."""

    def __init__(self, integer_digits: int, scale: int, *, zero: bool) -> None:
        """Accept up to ``integer_digits`` and ``scale`` digits; zero only where ``zero``."""
        nonzero = "" if zero else "(?=.*[1-9])"
        pattern = rf"{nonzero}[0-9]{{1,{integer_digits}}}(?:\.[0-9]{{1,{scale}}}0*)?"
        self._fits = re.compile(pattern).fullmatch
        self.known: set[str] = set()
        """What was found to fit. Never replaced, so hot paths may hold on to it."""

    def __contains__(self, text: object) -> bool:
        """Say whether ``text`` is a number's text that fits."""
        if not isinstance(text, str) or not self._fits(text):
            return False
        if len(self.known) >= MEMO:
            self.known.clear()
        self.known.add(text)
        return True


_EXPONENT = re.compile(r"([0-9]+)(?:\.([0-9]+))?[eE]([+-]?[0-9]{1,2})").fullmatch


def plain(text: str) -> str:
    """Return a JSON number's text without its exponent, exactly; other texts as they are.

    >>> plain("1.5e-05"), plain("2E3"), plain("105944.20"), plain("-1e5")
    ('0.000015', '2000', '105944.20', '-1e5')
    """
    match = _EXPONENT(text)
    if match is None:
        return text
    digits, point = match[1] + (match[2] or ""), len(match[1]) + int(match[3])
    if point < 1:
        digits, point = "0" * (1 - point) + digits, 1
    digits = digits.ljust(point, "0")
    whole, fraction = digits[:point].lstrip("0") or "0", digits[point:]
    return f"{whole}.{fraction}" if fraction else whole


PRICES = Decimals(9, 10, zero=False)
SIZES = Decimals(10, 8, zero=False)
LEVEL_PRICES = Decimals(9, 10, zero=True)
"""In quotes: zero stands for an empty side."""
LEVEL_SIZES = Decimals(10, 8, zero=True)
"""In quotes and books: zero is an empty side, or removes the level."""
VOLUMES = Decimals(20, 18, zero=True)
"""Sums over time, which no column of a trade bounds."""
