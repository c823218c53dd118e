"""Where documents go: list, add, change, test, remove. The forms come from the kinds' own fields."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from gateway.core.model import Destination, DestinationId, Level
from gateway.destinations.kinds import Kind
from gateway.destinations.registry import KINDS
from gateway.web import context, problems, render
from gateway.web.origins import posted
from gateway.web.pages.rules import described
from gateway.work.outcomes import NOT_FOUND, Denied

_EMPTY = {"everything": "on"}


async def show(request: web.Request) -> web.Response:
    """Show the account's destinations."""
    return await _list(request)


async def _list(request: web.Request, denied: Denied | None = None) -> web.Response:
    rooms, account = context.services(request), context.visitor(request).account.id
    rows = await rooms.catalogue.destinations(account)
    units = {row.unit.id: row.unit.label for row in await rooms.units.of(account)}
    values: dict[str, Any] = {
        "rows": rows,
        "kinds": KINDS,
        "rules": [(rule, described(rule, units)) for rule in await rooms.routing.rules(account)],
        "labels": {row.id: row.label for row in rows},
        "may_change": context.level(request) is Level.L2,
    }
    return render.page(request, "destinations.html", denied=denied, **values)


def _form(request: web.Request, kind: Kind, given: dict[str, str], denied: Denied | None = None) -> web.Response:
    return render.page(request, "destination_add.html", denied=denied, kind=kind, given=given)


async def show_form(request: web.Request) -> web.Response:
    """Show the empty form of one kind."""
    kind = KINDS.get(request.match_info["kind"])
    return _form(request, kind, _EMPTY) if kind else problems.render_for(request, NOT_FOUND)


async def add(request: web.Request) -> web.Response:
    """Save a destination; a refused form comes back with what was entered, without its secrets."""
    name = request.match_info["kind"]
    kind = KINDS.get(name)
    if kind is None:
        return problems.render_for(request, NOT_FOUND)
    form = await posted(request)
    values = _entered(form, kind)
    made = await context.services(request).catalogue.add_destination(
        context.visitor(request).account.id,
        name,
        form.get("label", ""),
        values[False],
        values[True],
        everything=form.get("everything") == "on",
        peer=context.peer(request),
    )
    if isinstance(made, Denied):
        kept = {name: form.get(name, "") for name in ("label", "everything")}
        return _form(request, kind, values[False] | kept, made)
    return context.see("/destinations?done=destination_added")


def _entered(form: Mapping[str, str], kind: Kind) -> dict[bool, dict[str, str]]:
    """Return what was entered: the secrets under True."""
    return {
        secret: {f.name: form.get(f.name, "") for f in kind.fields if f.secret is secret} for secret in (False, True)
    }


async def show_change(request: web.Request) -> web.Response:
    """Show a destination's form as it was filled in, without its secrets."""
    row = await _row(request)
    if row is None:
        return problems.render_for(request, NOT_FOUND)
    return _change_form(request, row, row.config | {"label": row.label})


def _change_form(
    request: web.Request, row: Destination, given: dict[str, str], denied: Denied | None = None
) -> web.Response:
    kind = KINDS[row.kind]
    fields = [replace(f, required=False) if f.secret else f for f in kind.fields]
    return render.page(request, "destination_change.html", denied=denied, row=row, fields=fields, given=given)


async def change(request: web.Request) -> web.Response:
    """Save a destination anew; a refused form comes back with what was entered, without its secrets."""
    row = await _row(request)
    if row is None:
        return problems.render_for(request, NOT_FOUND)
    form = await posted(request)
    values, label = _entered(form, KINDS[row.kind]), form.get("label", "")
    changed = await context.services(request).catalogue.change_destination(
        row.account, row.id, label, values[False], values[True], peer=context.peer(request)
    )
    if isinstance(changed, Denied):
        return _change_form(request, row, values[False] | {"label": label}, changed)
    return context.see("/destinations?done=destination_changed")


async def _row(request: web.Request) -> Destination | None:
    rows = await context.services(request).catalogue.destinations(context.visitor(request).account.id)
    return next((row for row in rows if row.id == request.match_info["id"]), None)


async def test(request: web.Request) -> web.Response:
    """Test a destination and say what came of it."""
    account, destination = context.visitor(request).account.id, DestinationId(request.match_info["id"])
    denied = await context.services(request).catalogue.test_destination(account, destination)
    return await _list(request, denied) if denied else context.see("/destinations?done=destination_works")


async def ask_remove(request: web.Request) -> web.Response:
    """Ask before removing."""
    row = await _row(request)
    if row is None:
        return problems.render_for(request, NOT_FOUND)
    return render.page(request, "destination_remove.html", row=row)


async def remove(request: web.Request) -> web.Response:
    """Remove a destination."""
    account, destination = context.visitor(request).account.id, DestinationId(request.match_info["id"])
    catalogue = context.services(request).catalogue
    denied = await catalogue.remove_destination(account, destination, peer=context.peer(request))
    return await _list(request, denied) if denied else context.see("/destinations?done=destination_removed")
