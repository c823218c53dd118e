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

_TIMES = ("from_time", "to_time")
_BAD_TIME = Denied("unusable", "A time is written as 07:30.", 422)


async def show_form(request: web.Request) -> web.Response:
    """Show the empty form of a rule."""
    return await _form(request, "/rules/add", Draft(When(), (), Filing()))


async def add(request: web.Request) -> web.Response:
    """Add a rule; a refused form comes back with what was entered."""
    form = await posted(request)
    draft = _draft(form)
    account, routing = context.visitor(request).account.id, context.services(request).routing
    made = _bad_time(form) or await routing.add(account, draft, peer=context.peer(request))
    return await _form(request, "/rules/add", draft, made, times=form) if isinstance(made, Denied) else _saved()


async def show(request: web.Request) -> web.Response:
    """Show a rule, to be changed."""
    rule = await _rule(request)
    if rule is None:
        return problems.render_for(request, NOT_FOUND)
    return await _form(request, f"/rules/{rule.id}", Draft(rule.when, rule.destinations, rule.filing), rule=rule)


async def change(request: web.Request) -> web.Response:
    """Write a rule anew; a refused form comes back with what was entered."""
    rule, form = await _rule(request), await posted(request)
    if rule is None:
        return problems.render_for(request, NOT_FOUND)
    draft = _draft(form)
    account, routing = context.visitor(request).account.id, context.services(request).routing
    made = _bad_time(form) or await routing.change(account, rule.id, draft, peer=context.peer(request))
    if isinstance(made, Denied):
        return await _form(request, f"/rules/{rule.id}", draft, made, rule=rule, times=form)
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
    request: web.Request,
    action: str,
    draft: Draft,
    denied: Denied | None = None,
    rule: Rule | None = None,
    times: dict[str, str] | None = None,
) -> web.Response:
    """Show a rule's form; `times`: the two as they were entered, where they are not the draft's."""
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
    }
    times = _times(draft.when) if times is None else times
    values |= {name: times.get(name, "") for name in _TIMES}
    return render.page(request, "rule.html", denied=denied, **values)


def _times(when: When) -> dict[str, str]:
    if when.from_minute == when.to_minute:
        return {}
    return dict(zip(_TIMES, map(_clock, (when.from_minute, when.to_minute)), strict=True))


def _bad_time(form: dict[str, str]) -> Denied | None:
    return _BAD_TIME if None in [_minute(form.get(name, "")) for name in _TIMES] else None


def _draft(form: dict[str, str]) -> Draft:
    """Return what a form says; a time that is none counts as midnight."""
    from_minute, to_minute = [_minute(form.get(name, "")) or 0 for name in _TIMES]
    days = [day for day in _chosen(form, "weekday") if day.isdecimal() and day.isascii() and len(day) == 1]
    return Draft(
        When(
            frozenset(UnitId(unit) for unit in _chosen(form, "unit")),
            frozenset(_chosen(form, "colour")),
            frozenset(int(day) for day in days),
            from_minute,
            to_minute,
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
