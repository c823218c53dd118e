"""Which scan goes where: the form of one rule, and the order of all."""

from typing import Any

from aiohttp import web

from drivers.port import Colour
from gateway.core.model import DestinationId, Filing, RuleId, UnitId
from gateway.core.routing import Rule, When
from gateway.web import context, problems, render, texts
from gateway.web.origins import posted
from gateway.work.outcomes import NOT_FOUND, Denied
from gateway.work.routing import Draft

_BAD_TIME = Denied("unusable", "A time is written as 07:30.", 422)


async def show_form(request: web.Request) -> web.Response:
    """Show the empty form of a rule."""
    return await _form(request, "/rules/add", Draft(When(), (), Filing()))


async def add(request: web.Request) -> web.Response:
    """Add a rule."""
    draft = _draft(await posted(request))
    if isinstance(draft, Denied):
        return await _form(request, "/rules/add", Draft(When(), (), Filing()), draft)
    account, routing = context.visitor(request).account.id, context.services(request).routing
    made = await routing.add(account, draft, peer=context.peer(request))
    return await _form(request, "/rules/add", draft, made) if isinstance(made, Denied) else _saved()


async def show(request: web.Request) -> web.Response:
    """Show a rule, to be changed."""
    rule = await _rule(request)
    if rule is None:
        return problems.render_for(request, NOT_FOUND)
    return await _form(request, f"/rules/{rule.id}", Draft(rule.when, rule.destinations, rule.filing), rule=rule)


async def change(request: web.Request) -> web.Response:
    """Write a rule anew."""
    rule, draft = await _rule(request), _draft(await posted(request))
    if rule is None:
        return problems.render_for(request, NOT_FOUND)
    kept = Draft(rule.when, rule.destinations, rule.filing)
    if isinstance(draft, Denied):
        return await _form(request, f"/rules/{rule.id}", kept, draft, rule=rule)
    account, routing = context.visitor(request).account.id, context.services(request).routing
    made = await routing.change(account, rule.id, draft, peer=context.peer(request))
    if isinstance(made, Denied):
        return await _form(request, f"/rules/{rule.id}", draft, made, rule=rule)
    return _saved()


async def raise_rule(request: web.Request) -> web.Response:
    """Put a rule before the one that stands before it."""
    rule = await _rule(request)
    if rule is None:
        return problems.render_for(request, NOT_FOUND)
    account, routing = context.visitor(request).account.id, context.services(request).routing
    await routing.place(account, rule.id, rule.position - 1, peer=context.peer(request))
    return _saved()


async def remove(request: web.Request) -> web.Response:
    """Remove a rule."""
    account, rule_id = context.visitor(request).account.id, RuleId(request.match_info["id"])
    denied = await context.services(request).routing.remove(account, rule_id, peer=context.peer(request))
    return problems.render_for(request, denied) if denied else context.see("/destinations?done=rule_removed")


def described(rule: Rule, units: dict[UnitId, str]) -> str:
    """Return in words which scans a rule is for."""
    when = rule.when
    parts = [
        ", ".join(sorted(units.get(unit, texts.text("rule.unit.gone")) for unit in when.units)),
        ", ".join(texts.SCAN_CHOICES["colour"][colour] for colour in Colour if colour in when.colours),
        ", ".join(texts.WEEKDAYS[day] for day in sorted(when.weekdays)),
        f"{_clock(when.from_minute)}–{_clock(when.to_minute)}" if when.from_minute != when.to_minute else "",
    ]
    return "; ".join(part for part in parts if part) or texts.text("rule.every")


def _saved() -> web.Response:
    return context.see("/destinations?done=rule_saved")


async def _rule(request: web.Request) -> Rule | None:
    rules = await context.services(request).routing.rules(context.visitor(request).account.id)
    return next((rule for rule in rules if rule.id == request.match_info["id"]), None)


async def _form(
    request: web.Request, action: str, draft: Draft, denied: Denied | None = None, rule: Rule | None = None
) -> web.Response:
    rooms, account = context.services(request), context.visitor(request).account.id
    units = [row.unit for row in await rooms.units.of(account)]
    values: dict[str, Any] = {
        "action": action,
        "gone": sorted(draft.when.units - {unit.id for unit in units}),
        "draft": draft,
        "rule": rule,
        "units": units,
        "destinations": await rooms.catalogue.destinations(account),
        "colours": {str(colour): texts.SCAN_CHOICES["colour"][colour] for colour in Colour},
        "weekdays": texts.WEEKDAYS,
        "from_time": _clock(draft.when.from_minute) if draft.when.from_minute != draft.when.to_minute else "",
        "to_time": _clock(draft.when.to_minute) if draft.when.from_minute != draft.when.to_minute else "",
    }
    return render.page(request, "rule.html", denied=denied, **values)


def _draft(form: dict[str, str]) -> Draft | Denied:
    minutes = [_minute(form.get(name, "")) for name in ("from_time", "to_time")]
    days = [day for day in _chosen(form, "weekday") if day.isdecimal() and day.isascii() and len(day) == 1]
    if minutes[0] is None or minutes[1] is None:
        return _BAD_TIME
    return Draft(
        When(
            frozenset(UnitId(unit) for unit in _chosen(form, "unit")),
            frozenset(_chosen(form, "colour")),
            frozenset(int(day) for day in days),
            minutes[0],
            minutes[1],
        ),
        tuple(DestinationId(destination) for destination in _chosen(form, "destination")),
        Filing(
            form.get("title", "").strip(),
            form.get("correspondent", "").strip(),
            tuple(tag.strip() for tag in form.get("tags", "").split(",") if tag.strip()),
        ),
    )


def _chosen(form: dict[str, str], what: str) -> list[str]:
    return [name.removeprefix(f"{what}.") for name in form if name.startswith(f"{what}.")]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _minute(text: str) -> int | None:
    if not text:
        return 0
    hours, _, minutes = text.partition(":")
    if not all(part.isascii() and part.isdecimal() and len(part) == 2 for part in (hours, minutes)):
        return None
    return 60 * int(hours) + int(minutes) if int(hours) < 24 and int(minutes) < 60 else None
