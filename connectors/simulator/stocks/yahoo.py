"""Yahoo's paths, as its clients ask for them once only the host is replaced."""

from http.cookies import SimpleCookie

from aiohttp import web

from connectors.simulator.stocks import chart, replies
from connectors.simulator.stocks.answering import Answering, Made
from connectors.simulator.stocks.chart import Document
from connectors.simulator.stocks.damage import damage, empty
from connectors.simulator.stocks.faults import Fault
from connectors.simulator.stocks.issues import Segment
from connectors.simulator.stocks.ledger import PRICE
from connectors.simulator.stocks.replies import HTML, TEXT, Reply

COOKIE = "A3=d=AQABBSIMULATED&S=AQAAAsimulated; Max-Age=31557600; Path=/; HttpOnly"
"""Yahoo's own is `Secure` and of `.yahoo.com`; neither works on a loopback address."""
CRUMB = "s1MuL4t.dCr"
_TIMEZONE_QUERY = {("range", "1d"), ("interval", "1d")}
_CONSENT = b"""<html><body><form method="post" action="/v2/collectConsent?sessionId=1_sim">
<input type="hidden" name="csrfToken" value="simulated"/>
<input type="hidden" name="sessionId" value="1_sim"/>
<button type="submit" name="agree" value="agree">Accept all</button></form></body></html>"""


class Yahoo:
    """Handlers of the paths; with ``check_crumb`` prices too need cookie and crumb."""

    def __init__(self, answering: Answering, *, check_crumb: bool = False) -> None:
        self._answering = answering
        self._world = answering.world
        self._check_crumb = check_crumb

    def add_routes(self, application: web.Application) -> None:
        """All paths."""
        router = application.router
        router.add_get("/v8/finance/chart/{symbol}", self.chart, allow_head=False)
        router.add_get("/v1/test/getcrumb", self.crumb, allow_head=False)
        router.add_get("/", self.cookie, allow_head=False)
        router.add_get("/consent", self.consent, allow_head=False)
        router.add_post("/v2/collectConsent", self.consented)
        router.add_get("/copyConsent", self.consented, allow_head=False)
        router.add_get("/v10/finance/quoteSummary/{symbol}", self.summary, allow_head=False)
        router.add_get("/v7/finance/quote", self.quote, allow_head=False)

    async def chart(self, request: web.Request) -> web.StreamResponse:
        """Daily bars and events; or only the time zone, for who asks as little as that."""
        symbol = request.match_info["symbol"].upper()
        asked = {(name, value) for name, value in request.query.items() if name != "crumb"}
        kind = "timezone" if asked == _TIMEZONE_QUERY else PRICE

        def make(fault: Fault | None) -> Made:
            if self._check_crumb and not _has_crumb(request):
                return Made(replies.invalid_crumb())
            try:
                document = self._chart(symbol, request, fault)
            except chart.Refused as refused:
                return Made(replies.refusal(refused))
            altered = fault is not None and damage(document, fault)
            left = document["chart"]["result"][0]["timestamp"]
            if not left or (fault is not None and fault.kind == "empty"):
                return Made(replies.document(empty(document)))
            return Made(replies.document(document), bars=kind == PRICE, altered=altered)

        return await self._answering.answer(request, kind, make, symbol)

    def _chart(self, symbol: str, request: web.Request, fault: Fault | None) -> Document:
        world = self._world
        issue = world.issues.get(symbol)
        if issue is None:
            raise chart.not_found()
        series = world.series(symbol)
        if not series.days:
            raise chart.not_found()
        query = chart.parse(request.query, series, world.today)
        if fault is not None and fault.kind == "no_data":
            raise chart.no_data(query)
        return chart.answer(issue, series, query, world.today)

    async def cookie(self, request: web.Request) -> web.StreamResponse:
        """The cookie host's page: it is not found, and yet brings the cookie."""
        reply = replies.page(404, "Yahoo")._replace(headers={"Set-Cookie": COOKIE})
        return await self._answering.answer(request, "cookie", lambda _: Made(reply))

    async def crumb(self, request: web.Request) -> web.StreamResponse:
        """The crumb, as plain text."""
        reply = Reply(200, CRUMB.encode(), TEXT)
        if self._check_crumb and not _has_cookie(request):
            fault = {"code": "Unauthorized", "description": "Invalid Cookie"}
            reply = replies.document({"finance": {"result": None, "error": fault}}, 401)
        return await self._answering.answer(request, "crumb", lambda _: Made(reply))

    async def consent(self, request: web.Request) -> web.StreamResponse:
        """The page that asks for consent to cookies."""
        reply = Reply(200, _CONSENT, HTML)
        return await self._answering.answer(request, "consent", lambda _: Made(reply))

    async def consented(self, request: web.Request) -> web.StreamResponse:
        """Consent brings the cookie."""
        reply = replies.page(200, "Yahoo")._replace(headers={"Set-Cookie": COOKIE})
        return await self._answering.answer(request, "consent", lambda _: Made(reply))

    async def summary(self, request: web.Request) -> web.StreamResponse:
        """Only what kind of thing a symbol is, and its time zone."""
        symbol = request.match_info["symbol"].upper()

        def make(_: Fault | None) -> Made:
            if not _has_crumb(request):
                return Made(replies.invalid_crumb())
            found = self._quote(symbol)
            if found is None:
                fault = {
                    "code": "Not Found",
                    "description": f"Quote not found for symbol: {symbol}",
                }
                document = {"quoteSummary": {"result": None, "error": fault}}
                return Made(replies.document(document, 404))
            result = [{"quoteType": found}]
            return Made(replies.document({"quoteSummary": {"result": result, "error": None}}))

        return await self._answering.answer(request, "quote", make, symbol)

    async def quote(self, request: web.Request) -> web.StreamResponse:
        """The same for several symbols; what is unknown is left out."""
        symbols = request.query.get("symbols", "").upper().split(",")

        def make(_: Fault | None) -> Made:
            if not _has_crumb(request):
                return Made(replies.invalid_crumb())
            found = [quote for quote in map(self._quote, symbols) if quote]
            return Made(replies.document({"quoteResponse": {"result": found, "error": None}}))

        return await self._answering.answer(request, "quote", make)

    async def other(self, request: web.Request) -> web.StreamResponse:
        """A path that is not played here."""
        reply = replies.page(404, "Not Found")
        return await self._answering.answer(request, "other", lambda _: Made(reply))

    def _quote(self, symbol: str) -> Document | None:
        issue = self._world.issues.get(symbol)
        if issue is None:
            return None
        return {
            "exchange": "JPX",
            "quoteType": "ETF" if issue.segment is Segment.FUND else "EQUITY",
            "symbol": symbol,
            "shortName": issue.english.upper(),
            "longName": issue.english,
            "timeZoneFullName": "Asia/Tokyo",
            "timeZoneShortName": "JST",
            "exchangeTimezoneName": "Asia/Tokyo",
            "gmtOffSetMilliseconds": chart.OFFSET * 1000,
        }


def _has_cookie(request: web.Request) -> bool:
    """Whether the cookie came along; its value holds `=` and `&`, which strict parsers drop."""
    cookies = SimpleCookie(request.headers.get("Cookie", ""))
    return "A3" in cookies or "A3" in request.cookies


def _has_crumb(request: web.Request) -> bool:
    return _has_cookie(request) and request.query.get("crumb") == CRUMB
