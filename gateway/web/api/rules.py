"""The account's rules: which scan goes where."""

from aiohttp import web
from msgspec import Struct, field

from gateway.core.model import DestinationId, Filing, RuleId, UnitId
from gateway.core.routing import Rule, When
from gateway.web import context, problems
from gateway.web.api.bodies import done, read, reply
from gateway.work.outcomes import Denied
from gateway.work.routing import Draft


class RuleBody(Struct, forbid_unknown_fields=True):
    """For which scans (what is empty fits every scan), to which destinations at once, and what is said of them.

    `units`: ids; `colours`: automatic, colour, gray, lineart; `weekdays`: 0 is Monday; `from_minute`, `to_minute`: of
    the day in the gateway's time zone, over midnight if the last is smaller, all day if they are equal. In `title`,
    {date}, {time} and {unit} stand for the scan's own.
    """

    destinations: list[str]
    units: list[str] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)
    weekdays: list[int] = field(default_factory=list)
    from_minute: int = 0
    to_minute: int = 0
    title: str = ""
    correspondent: str = ""
    tags: list[str] = field(default_factory=list)


class Place(Struct, forbid_unknown_fields=True):
    """A place in the order of the rules, 0 for the first."""

    place: int


class RuleAnswer(Struct):
    """A rule; the first one that fits a scan says where it goes. Fields as in what is sent."""

    id: str
    place: int
    destinations: list[str]
    units: list[str]
    colours: list[str]
    weekdays: list[int]
    from_minute: int
    to_minute: int
    title: str
    correspondent: str
    tags: list[str]


class RuleList(Struct):
    """The account's rules in their order."""

    items: list[RuleAnswer]


def _draft(body: RuleBody) -> Draft:
    return Draft(
        When(
            frozenset(UnitId(u) for u in body.units),
            frozenset(body.colours),
            frozenset(body.weekdays),
            body.from_minute,
            body.to_minute,
        ),
        tuple(DestinationId(d) for d in body.destinations),
        Filing(body.title.strip(), body.correspondent.strip(), tuple(tag.strip() for tag in body.tags)),
    )


def _answer(rule: Rule) -> RuleAnswer:
    when, filing = rule.when, rule.filing
    return RuleAnswer(
        id=rule.id,
        place=rule.position,
        destinations=list(rule.destinations),
        units=sorted(when.units),
        colours=sorted(when.colours),
        weekdays=sorted(when.weekdays),
        from_minute=when.from_minute,
        to_minute=when.to_minute,
        title=filing.title,
        correspondent=filing.correspondent,
        tags=list(filing.tags),
    )


async def list_rules(request: web.Request) -> web.Response:
    """List the account's rules in their order."""
    rows = await context.services(request).routing.rules(context.visitor(request).account.id)
    return reply(RuleList([_answer(row) for row in rows]))


async def add(request: web.Request) -> web.Response:
    """Add a rule: before the one for every scan, else as the last."""
    body, account = await read(request, RuleBody), context.visitor(request).account.id
    made = await context.services(request).routing.add(account, _draft(body), peer=context.peer(request))
    return problems.response(made) if isinstance(made, Denied) else reply(_answer(made), 201)


async def change(request: web.Request) -> web.Response:
    """Write a rule anew."""
    body, account = await read(request, RuleBody), context.visitor(request).account.id
    routing, rule_id = context.services(request).routing, RuleId(request.match_info["id"])
    made = await routing.change(account, rule_id, _draft(body), peer=context.peer(request))
    return problems.response(made) if isinstance(made, Denied) else reply(_answer(made))


async def place(request: web.Request) -> web.Response:
    """Put a rule at another place of the order."""
    body, account = await read(request, Place), context.visitor(request).account.id
    routing, rule_id = context.services(request).routing, RuleId(request.match_info["id"])
    made = await routing.place(account, rule_id, body.place, peer=context.peer(request))
    return problems.response(made) if isinstance(made, Denied) else reply(_answer(made))


async def remove(request: web.Request) -> web.Response:
    """Remove a rule; what it has planned goes on."""
    account, rule_id = context.visitor(request).account.id, RuleId(request.match_info["id"])
    denied = await context.services(request).routing.remove(account, rule_id, peer=context.peer(request))
    return problems.response(denied) if denied else done()
