"""The table of routes: method, path, handler, who may. A route that is not here does not exist; one without levels
is closed. The rows of the API are in api/table_*.py; its description is made from them.
"""

import msgspec
from aiohttp import web

from gateway.core.model import Level
from gateway.web import copies, probes
from gateway.web.api import openapi
from gateway.web.api.table_account import ACCOUNT
from gateway.web.api.table_delivery import DELIVERY
from gateway.web.api.table_notices import NOTICES
from gateway.web.api.table_things import THINGS
from gateway.web.pages import (
    account,
    deliveries,
    destinations,
    files,
    fragments,
    life,
    main,
    notices,
    paper,
    problems,
    rules,
    scans,
    setup,
    signin,
    trust,
    units,
)
from gateway.web.pages import recovery as page_recovery
from gateway.web.route import (
    ANYONE,
    ENROLS,
    REPLACES,
    ROWS,
    SIGNED_IN,
    TABLE,
    VERIFIED,
    WITH_PASSWORD,
    Face,
    Handler,
    Route,
)

API: tuple[Route, ...] = (*ACCOUNT, *THINGS, *DELIVERY, *NOTICES)


def _page(
    method: str,
    path: str,
    handler: Handler,
    levels: frozenset[Level],
    *,
    fresh: bool = False,
    while_locked: bool = False,
    before_setup: bool = False,
    knocks: bool = False,
) -> Route:
    return Route(
        method,
        path,
        handler,
        levels,
        Face.PAGE,
        fresh=fresh,
        while_locked=while_locked,
        before_setup=before_setup,
        knocks=knocks,
    )


def _part(path: str, handler: Handler) -> Route:
    return Route("GET", path, handler, SIGNED_IN, Face.SCRIPT)


def _file(path: str, handler: Handler = files.show) -> Route:
    return Route("GET", path, handler, ANYONE, Face.STATIC, before_setup=True)


PAGES: tuple[Route, ...] = (
    _page("GET", "/problems/{name}", problems.show, ANYONE, before_setup=True),
    _page("GET", "/trust", trust.show, ANYONE, while_locked=True, before_setup=True),
    _page("GET", "/setup", setup.show, ANYONE, before_setup=True),
    _page("POST", "/setup", setup.submit, ANYONE, before_setup=True, knocks=True),
    _page("GET", "/sign-in", signin.show, ANYONE),
    _page("POST", "/sign-in", signin.submit, ANYONE, knocks=True),
    _page("GET", "/sign-in/code", signin.show_code, WITH_PASSWORD),
    _page("POST", "/sign-in/code", signin.submit_code, WITH_PASSWORD, knocks=True),
    _page("GET", "/sign-in/sign-in-code", page_recovery.show_sign_in_code, WITH_PASSWORD),
    _page("POST", "/sign-in/sign-in-code", page_recovery.sign_in_code, WITH_PASSWORD, knocks=True),
    _page("GET", "/rescue", page_recovery.show_rescue, ANYONE),
    _page("POST", "/rescue", page_recovery.rescue, ANYONE, knocks=True),
    _page("GET", "/reset", page_recovery.show_reset, ANYONE),
    _page("POST", "/reset", page_recovery.reset, ANYONE, knocks=True),
    _page("GET", "/invitation", page_recovery.show_invitation, ANYONE),
    _page("POST", "/invitation", page_recovery.accept, ANYONE, knocks=True),
    _page("GET", "/paper", paper.show_typed, SIGNED_IN),
    _page("POST", "/paper", paper.keep, SIGNED_IN),
    _page("GET", "/sign-out", signin.show_sign_out, WITH_PASSWORD, while_locked=True),
    _page("POST", "/sign-out", signin.submit_sign_out, WITH_PASSWORD, while_locked=True),
    _page("GET", "/", main.show, SIGNED_IN),
    _page("GET", "/scans/{id}", scans.show, SIGNED_IN),
    _page("GET", "/scans/{id}/pages/{page}", copies.page, VERIFIED, fresh=True),
    _page("GET", "/scans/{id}/document", copies.document, VERIFIED, fresh=True),
    _page("GET", "/scans/{id}/delete", scans.ask_delete, SIGNED_IN, fresh=True),
    _page("POST", "/scans/{id}/delete", scans.delete, SIGNED_IN, fresh=True),
    _page("POST", "/scans/{id}/finish", main.finish_scan, SIGNED_IN),
    _page("POST", "/scans/{id}/deliveries", deliveries.send, VERIFIED),
    _page("POST", "/deliveries/{id}/retry", deliveries.retry, SIGNED_IN),
    _page("POST", "/deliveries/{id}/confirm", deliveries.confirm, VERIFIED),
    _page("POST", "/deliveries/{id}/discard", deliveries.discard, VERIFIED),
    _page("GET", "/settings", main.settings, SIGNED_IN),
    _page("GET", "/settings/account", main.account, SIGNED_IN),
    _page("GET", "/settings/notices", notices.show, SIGNED_IN),
    _page("GET", "/settings/notices/add/{kind}", notices.show_form, VERIFIED, fresh=True),
    _page("POST", "/settings/notices/add/{kind}", notices.add, VERIFIED, fresh=True),
    _page("POST", "/settings/notices/{id}/test", notices.test, VERIFIED),
    _page("POST", "/settings/notices/{id}/remove", notices.remove, VERIFIED, fresh=True),
    _page("POST", "/notices/{id}/read", notices.put_away, SIGNED_IN),
    _page("GET", "/account", account.manage, SIGNED_IN, fresh=True),
    _page("GET", "/account/two-factor", account.show_enable, SIGNED_IN),
    _page("POST", "/account/two-factor", account.start, SIGNED_IN),
    _page("GET", "/account/authenticator", account.show_replace, REPLACES, fresh=True),
    _page("POST", "/account/authenticator", account.replace, REPLACES, fresh=True),
    _page("POST", "/account/two-factor/confirm", account.confirm, ENROLS),
    _page("GET", "/account/two-factor/disable", account.show_disable, VERIFIED),
    _page("POST", "/account/two-factor/disable", account.disable, VERIFIED),
    _page("GET", "/account/sessions", life.sessions, SIGNED_IN),
    _page("POST", "/account/sessions/{id}/end", life.end_session, SIGNED_IN),
    _page("POST", "/account/devices/{id}/forget", life.forget_device, SIGNED_IN),
    _page("POST", "/forwarding/stop", life.stop_forwarding, SIGNED_IN),
    _page("GET", "/account/audit", life.audit, SIGNED_IN),
    _page("GET", "/account/recovery", life.recovery, SIGNED_IN, fresh=True),
    _page("POST", "/account/recovery/paper", life.print_paper, SIGNED_IN, fresh=True),
    _page("POST", "/account/recovery/regain", life.regain, SIGNED_IN, fresh=True),
    _page("GET", "/account/password", life.show_password, SIGNED_IN, fresh=True),
    _page("POST", "/account/password", life.change_password, SIGNED_IN, fresh=True),
    _page("GET", "/account/email", life.show_email, SIGNED_IN, fresh=True),
    _page("POST", "/account/email", life.change_email, SIGNED_IN, fresh=True),
    _page("GET", "/account/delete", life.show_delete, SIGNED_IN, fresh=True),
    _page("POST", "/account/delete", life.delete, SIGNED_IN, fresh=True),
    _page("POST", "/account/keep", life.keep, SIGNED_IN),
    _page("POST", "/account/banner", life.read_banner, SIGNED_IN),
    _page("GET", "/units/add", units.list_found, SIGNED_IN),
    _page("POST", "/claims", units.open_claim, SIGNED_IN),
    _page("GET", "/claims/{id}", units.show_claim, SIGNED_IN),
    _page("GET", "/units/{id}", units.show_unit, SIGNED_IN),
    _page("POST", "/units/{id}/rename", units.rename, SIGNED_IN),
    _page("POST", "/units/{id}/settings", units.configure, SIGNED_IN),
    _page("POST", "/units/{id}/remove", units.remove, SIGNED_IN, fresh=True),
    _page("POST", "/units/{id}/scan", units.scan, SIGNED_IN),
    _page("POST", "/units/{id}/lend", units.lend, SIGNED_IN),
    _page("POST", "/units/{id}/take-back", units.take_back, SIGNED_IN),
    _page("POST", "/units/{id}/password", units.set_password, SIGNED_IN),
    _page("POST", "/units/{id}/trust", units.trust, SIGNED_IN, fresh=True),
    _page("POST", "/units/{id}/part", units.part, SIGNED_IN, fresh=True),
    _page("GET", "/destinations", destinations.show, SIGNED_IN),
    _page("GET", "/destinations/add/{kind}", destinations.show_form, VERIFIED, fresh=True),
    _page("POST", "/destinations/add/{kind}", destinations.add, VERIFIED, fresh=True),
    _page("POST", "/destinations/{id}/test", destinations.test, VERIFIED),
    _page("GET", "/destinations/{id}/change", destinations.show_change, VERIFIED, fresh=True),
    _page("POST", "/destinations/{id}/change", destinations.change, VERIFIED, fresh=True),
    _page("GET", "/destinations/{id}/remove", destinations.ask_remove, VERIFIED, fresh=True),
    _page("POST", "/destinations/{id}/remove", destinations.remove, VERIFIED, fresh=True),
    _page("GET", "/rules/add", rules.show_form, VERIFIED, fresh=True),
    _page("POST", "/rules/add", rules.add, VERIFIED, fresh=True),
    _page("GET", "/rules/{id}", rules.show, VERIFIED, fresh=True),
    _page("POST", "/rules/{id}", rules.change, VERIFIED, fresh=True),
    _page("POST", "/rules/{id}/raise", rules.raise_rule, VERIFIED, fresh=True),
    _page("POST", "/rules/{id}/remove", rules.remove, VERIFIED, fresh=True),
)

PARTS: tuple[Route, ...] = (
    _part("/fragments/units", fragments.units),
    _part("/fragments/scans", fragments.scans),
    _part("/fragments/scans/{id}", fragments.scan),
    _part("/fragments/forwarding", fragments.forwarding),
    _part("/fragments/account", fragments.account),
    _part("/fragments/notices", fragments.notices),
    _part("/fragments/found", fragments.found),
    _part("/fragments/claims/{id}", fragments.claim),
)

FILES: tuple[Route, ...] = (
    _file("/static/{name}"),
    _file("/favicon.ico"),
    _file("/ca.crt", trust.certificate),
    _file("/readyz", probes.ready),
    _file("/metrics", probes.metrics),
)

ROUTES: tuple[Route, ...] = (*API, *PAGES, *PARTS, *FILES)


def register(app: web.Application, table: tuple[Route, ...] = ROUTES) -> None:
    """Add every row to the application, and remember which route stands for which row."""
    app[TABLE] = table
    app[openapi.DOCUMENT] = msgspec.json.encode(openapi.describe(table))
    app[ROWS] = {app.router.add_route(row.method, row.path, row.handler): row for row in table}
