"""What is listed: issues with realistic codes, segments in the exchange's own proportions, names.

The first ordinary codes are well-known ones, so that small listings hold them too; names say that
they are made up.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from enum import Enum
from random import Random
from typing import NamedTuple


class Segment(Enum):
    """Markets and products as the exchange spells them: Japanese, English, rows of a full list."""

    PRIME = ("プライム（内国株式）", "Prime Market (Domestic)", 1556)
    STANDARD = ("スタンダード（内国株式）", "Standard Market(Domestic)", 1555)
    GROWTH = ("グロース（内国株式）", "Growth Market(Domestic)", 596)
    PRIME_FOREIGN = ("プライム（外国株式）", "Prime Market(Foreign)", 1)
    STANDARD_FOREIGN = ("スタンダード（外国株式）", "Standard Market(Foreign)", 2)
    GROWTH_FOREIGN = ("グロース（外国株式）", "Growth Market (Foreign)", 2)
    PRO = ("PRO Market", "PRO Market", 187)
    FUND = ("ETF・ETN", "ETFs/ ETNs", 480)
    REIT = (
        "REIT・ベンチャーファンド・カントリーファンド・インフラファンド",
        "REIT, Venture Funds, Country Funds and Infrastructure Funds",
        63,
    )
    CONTRIBUTION = ("出資証券", "Equity Contribution Securities", 2)

    @property
    def japanese(self) -> str:
        """As in the Japanese list."""
        return self.value[0]

    @property
    def english(self) -> str:
        """As in the English list, with its uneven spaces."""
        return self.value[1]

    @property
    def usual(self) -> int:
        """Rows of it in a full list."""
        return self.value[2]


DOMESTIC = (Segment.PRIME, Segment.STANDARD, Segment.GROWTH)
FOREIGN = (Segment.PRIME_FOREIGN, Segment.STANDARD_FOREIGN, Segment.GROWTH_FOREIGN)
OTHERS = (Segment.PRO, Segment.FUND, Segment.REIT)
CLASS_SHARES = 6
"""Five-character codes in a full list, besides the one of an equity contribution."""
ORDINARY = sum(segment.usual for segment in (*DOMESTIC, *FOREIGN))

SECTORS = (
    ("50", "水産・農林業", "Fishery, Agriculture & Forestry", "1", "食品", "FOODS"),
    ("2050", "建設業", "Construction", "3", "建設・資材", "CONSTRUCTION & MATERIALS"),
    ("3050", "食料品", "Foods", "1", "食品", "FOODS"),
    ("3200", "化学", "Chemicals", "4", "素材・化学", "RAW MATERIALS & CHEMICALS"),
    ("3250", "医薬品", "Pharmaceutical", "5", "医薬品", "PHARMACEUTICAL"),
    ("3600", "機械", "Machinery", "8", "機械", "MACHINERY"),
    (
        "3650",
        "電気機器",
        "Electric Appliances",
        "9",
        "電機・精密",
        "ELECTRIC APPLIANCES & PRECISION INSTRUMENTS",
    ),
    (
        "3700",
        "輸送用機器",
        "Transportation Equipment",
        "6",
        "自動車・輸送機",
        "AUTOMOBILES & TRANSPORTATION EQUIPMENT",
    ),
    (
        "5250",
        "情報・通信業",
        "Information & Communication",
        "10",
        "情報通信・サービスその他",
        "IT & SERVICES, OTHERS",
    ),
    (
        "6050",
        "卸売業",
        "Wholesale Trade",
        "13",
        "商社・卸売",
        "COMMERCIAL & WHOLESALE TRADE",
    ),
    ("6100", "小売業", "Retail Trade", "14", "小売", "RETAIL TRADE"),
    ("7050", "銀行業", "Banks", "15", "銀行", "BANKS"),
    ("8050", "不動産業", "Real Estate", "17", "不動産", "REAL ESTATE"),
    (
        "9050",
        "サービス業",
        "Services",
        "10",
        "情報通信・サービスその他",
        "IT & SERVICES, OTHERS",
    ),
)
"""Code, Japanese and English name of the 33 sectors, then of the 17 (a part of them)."""

SIZES = (
    ("1", "TOPIX Core30", 30),
    ("2", "TOPIX Large70", 70),
    ("4", "TOPIX Mid400", 400),
    ("6", "TOPIX Small 1", 500),
    ("7", "TOPIX Small 2", 700),
)
"""Code, name and usual number of issues of the size classes; the rest has none."""

_KNOWN = ("7203", "6758", "130A", "9984", "8306", "4063", "6861", "9432", "4502", "7974")


class Issue(NamedTuple):
    """One row of the list."""

    code: str
    segment: Segment
    sector: int | None
    """Place in ``SECTORS``; None: not a company."""
    size: int | None
    """Place in ``SIZES``; None: in none."""
    listed: date
    """First day of trading."""

    @property
    def symbol(self) -> str:
        """As Yahoo calls it."""
        return f"{self.code}.T"

    @property
    def japanese(self) -> str:
        """Its name in the Japanese list."""
        return f"模擬{self.code}"

    @property
    def english(self) -> str:
        """Its name in the English list."""
        return f"Simulated {self.code}"

    @property
    def ordinary(self) -> bool:
        """A share of a company on Prime, Standard or Growth with a four-character code."""
        return self.segment in (*DOMESTIC, *FOREIGN) and len(self.code) == 4


def make_issues(count: int, seed: int, until: date) -> list[Issue]:
    """``count`` ordinary shares and, in proportion, everything else that is listed; by code.

    At least one of each other kind is there. All are listed a month or more before ``until``.
    The same arguments give the same issues.
    """
    codes = _codes(Random(f"issues/{seed}"))
    found = [
        _issue(next(codes), segment, _size(place, count), seed, until)
        for place, segment in enumerate(_segments(count))
    ]
    for segment in OTHERS:
        wanted = _share(segment.usual, count)
        found += [_issue(next(codes), segment, None, seed, until) for _ in range(wanted)]
    domestic = [issue for issue in found if issue.segment in DOMESTIC]
    found += [
        issue._replace(code=f"{issue.code}5", size=None)
        for issue in domestic[: _share(CLASS_SHARES, count)]
    ]
    for code in ("8301", "84215"):
        found.append(_issue(code, Segment.CONTRIBUTION, None, seed, until))
    return sorted(found, key=lambda issue: issue.code)


def new_issue(code: str, listed: date, seed: int) -> Issue:
    """A newcomer on the Growth market."""
    sector = Random(f"{seed}/{code}/issue").randrange(len(SECTORS))
    return Issue(code, Segment.GROWTH, sector, None, listed)


def _share(usual: int, count: int) -> int:
    return max(1, round(usual * count / ORDINARY))


def _segments(count: int) -> list[Segment]:
    """Segments of the ordinary shares; the largest come first, so they are on Prime."""
    foreign = [segment for segment in FOREIGN for _ in range(segment.usual)]
    foreign = foreign[: round(len(foreign) * count / ORDINARY)]
    left = count - len(foreign)
    usual = sum(segment.usual for segment in DOMESTIC)
    prime = round(left * Segment.PRIME.usual / usual)
    standard = round(left * Segment.STANDARD.usual / usual)
    growth = left - prime - standard
    parts = zip(DOMESTIC, (prime, standard, growth), strict=True)
    return [segment for segment, number in parts for _ in range(number)] + foreign


def _issue(code: str, segment: Segment, size: int | None, seed: int, until: date) -> Issue:
    random = Random(f"{seed}/{code}/issue")
    company = segment not in (Segment.FUND, Segment.REIT, Segment.CONTRIBUTION)
    sector = random.randrange(len(SECTORS)) if company else None
    # Codes with a letter are given out since 2024; of the others 3 % come new each year.
    years = 2 if code[3].isalpha() else 33
    listed = until - timedelta(days=random.randrange(30, years * 365))
    return Issue(code, segment, sector, size if segment in DOMESTIC else None, listed)


def _size(place: int, count: int) -> int | None:
    limit = 0.0
    for number, (_, _, usual) in enumerate(SIZES):
        limit += usual * count / ORDINARY
        if place < limit:
            return number
    return None


def _codes(random: Random) -> Iterator[str]:
    """Free codes without end: the known ones, then four digits, one in 25 like 130A."""
    taken = {"8301", "8421"}
    for code in _KNOWN:
        taken.add(code)
        yield code
    while True:
        code = str(random.randrange(1300, 10_000))
        if random.random() < 0.04:
            code = f"{random.randrange(130, 600)}{random.choice('ACDFGHJKLMNPRSTUWXY')}"
        if code not in taken:
            taken.add(code)
            yield code
