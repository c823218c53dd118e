"""The table of routes: method, path, handler, who may. A route that is not here does not exist; one without levels
is closed. The description of the API is made from these rows.
"""

from aiohttp import web
from msgspec import Struct

from gateway.core.model import Level
from gateway.web.api import account as api_account
from gateway.web.api import answers, asks, events, openapi, recovery, scans, session, sessions, status
from gateway.web.api import destinations as api_destinations
from gateway.web.api import units as api_units
from gateway.web.api.settings import ScanSettings
from gateway.web.pages import account, destinations, files, fragments, life, main, paper, setup, signin, units
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
    Query,
    Route,
)

_LIMIT = Query("limit", "integer", "1 to 200, 50 by default")
_BEFORE = Query("before", "string", "Only scans that started before this time (ISO 8601 with offset)")
_BEFORE_ROW = Query("before", "integer", "Only rows with a smaller number")
_EVERYWHERE = Query("everywhere", "integer", "1 (default): all sessions of the account; 0: this one")


def _api(
    method: str,
    path: str,
    handler: Handler,
    levels: frozenset[Level],
    *,
    query: tuple[Query, ...] = (),
    body: type[Struct] | None = None,
    answer: type[Struct] | None = None,
    status: int = 200,
    fresh: bool = False,
    while_locked: bool = False,
    before_setup: bool = False,
    knocks: bool = False,
) -> Route:
    return Route(
        method,
        openapi.PREFIX + path,
        handler,
        levels,
        Face.API,
        summary=(handler.__doc__ or "").splitlines()[0],
        body=body,
        answer=answer,
        status=status,
        query=query,
        fresh=fresh,
        while_locked=while_locked,
        before_setup=before_setup,
        knocks=knocks,
    )


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


def _file(path: str) -> Route:
    return Route("GET", path, files.show, ANYONE, Face.STATIC, before_setup=True)


API: tuple[Route, ...] = (
    _api("GET", "/openapi.json", openapi.get_openapi, ANYONE, before_setup=True),
    _api("GET", "/status", status.get_status, ANYONE, answer=answers.Status),
    _api(
        "POST",
        "/setup",
        session.set_up,
        ANYONE,
        body=asks.SetUp,
        answer=answers.SessionAnswer,
        status=201,
        before_setup=True,
        knocks=True,
    ),
    _api(
        "POST",
        "/session",
        session.sign_in,
        ANYONE,
        body=asks.PasswordSignIn,
        answer=answers.SessionAnswer,
        knocks=True,
    ),
    _api(
        "POST",
        "/session/code",
        session.sign_in_code,
        WITH_PASSWORD,
        body=asks.CodeSignIn,
        answer=answers.SessionAnswer,
        while_locked=True,
        knocks=True,
    ),
    _api(
        "POST",
        "/session/sign-in-code",
        recovery.sign_in_code,
        WITH_PASSWORD,
        body=asks.PaperSignIn,
        answer=answers.SessionAnswer,
        while_locked=True,
        knocks=True,
    ),
    _api("POST", "/rescue", recovery.rescue, ANYONE, body=asks.Rescue, answer=answers.SessionAnswer, knocks=True),
    _api("POST", "/reset", recovery.reset, ANYONE, body=asks.Reset, answer=answers.SessionAnswer, knocks=True),
    _api(
        "POST",
        "/invitation",
        recovery.accept,
        ANYONE,
        body=asks.Invitation,
        answer=answers.SessionAnswer,
        status=201,
        knocks=True,
    ),
    _api("GET", "/sessions", sessions.list_sessions, SIGNED_IN, answer=answers.SessionList),
    _api("DELETE", "/sessions/{id}", sessions.end, SIGNED_IN, status=204),
    _api("DELETE", "/forwarding", sessions.stop_forwarding, SIGNED_IN, status=204),
    _api("GET", "/devices", sessions.list_devices, SIGNED_IN, answer=answers.DeviceList),
    _api("DELETE", "/devices/{id}", sessions.forget_device, SIGNED_IN, status=204),
    _api("GET", "/session", session.get_session, ANYONE, answer=answers.SessionState),
    _api("DELETE", "/session", session.sign_out, WITH_PASSWORD, query=(_EVERYWHERE,), status=204, while_locked=True),
    _api("GET", "/account", api_account.get_account, SIGNED_IN, answer=answers.AccountAnswer),
    _api(
        "POST", "/password", api_account.change_password, SIGNED_IN, body=asks.ChangePassword, status=204, fresh=True
    ),
    _api("POST", "/email", api_account.change_email, SIGNED_IN, body=asks.ChangeEmail, status=204, fresh=True),
    _api(
        "PUT",
        "/account/deletion",
        api_account.delete,
        SIGNED_IN,
        body=asks.DeleteAccount,
        status=204,
        fresh=True,
    ),
    _api("DELETE", "/account/deletion", api_account.keep, SIGNED_IN, status=204),
    _api("DELETE", "/account/banner", api_account.read_banner, SIGNED_IN, status=204),
    _api("GET", "/audit", api_account.list_audit, SIGNED_IN, answer=answers.AuditList, query=(_LIMIT, _BEFORE_ROW)),
    _api(
        "POST",
        "/paper",
        recovery.print_paper,
        SIGNED_IN,
        body=asks.StartTwoFactor,
        answer=answers.PaperAnswer,
        status=201,
        fresh=True,
    ),
    _api("POST", "/paper/kept", recovery.keep_paper, SIGNED_IN, body=asks.RescueKey, status=204),
    _api(
        "POST",
        "/paper/regain",
        recovery.regain,
        SIGNED_IN,
        body=asks.Regain,
        answer=answers.PaperAnswer,
        status=201,
        fresh=True,
    ),
    _api(
        "POST",
        "/two-factor",
        api_account.start,
        SIGNED_IN,
        body=asks.StartTwoFactor,
        answer=answers.EnrolmentAnswer,
        status=201,
    ),
    _api(
        "POST",
        "/two-factor/replacement",
        api_account.replace,
        REPLACES,
        body=asks.StartTwoFactor,
        answer=answers.EnrolmentAnswer,
        status=201,
        fresh=True,
    ),
    _api(
        "POST",
        "/two-factor/confirm",
        api_account.confirm,
        ENROLS,
        body=asks.CodeSignIn,
        answer=answers.SessionAnswer,
    ),
    _api("POST", "/two-factor/disable", api_account.disable, VERIFIED, body=asks.DisableTwoFactor, status=204),
    _api("GET", "/found", api_units.list_found, SIGNED_IN, answer=answers.FoundList),
    _api(
        "POST", "/claims", api_units.open_claim, SIGNED_IN, body=asks.OpenClaim, answer=answers.ClaimAnswer, status=201
    ),
    _api("GET", "/claims/{id}", api_units.get_claim, SIGNED_IN, answer=answers.ClaimAnswer),
    _api("GET", "/units", api_units.list_units, SIGNED_IN, answer=answers.UnitList),
    _api("PATCH", "/units/{id}", api_units.rename, SIGNED_IN, body=asks.Rename, answer=answers.UnitAnswer),
    _api("PUT", "/units/{id}/settings", api_units.configure, SIGNED_IN, body=ScanSettings, answer=answers.UnitAnswer),
    _api("DELETE", "/units/{id}", api_units.remove, SIGNED_IN, status=204, fresh=True),
    _api("POST", "/units/{id}/scan", api_units.scan, SIGNED_IN, status=204),
    _api("PUT", "/units/{id}/lending", api_units.lend, SIGNED_IN, status=204),
    _api("DELETE", "/units/{id}/lending", api_units.take_back, SIGNED_IN, status=204),
    _api("POST", "/units/{id}/password", api_units.set_password, SIGNED_IN, body=asks.WayPassword, status=204),
    _api("POST", "/units/{id}/trust", api_units.trust, SIGNED_IN, body=asks.TrustWay, status=204, fresh=True),
    _api("POST", "/units/{id}/part", api_units.part, SIGNED_IN, body=asks.NamedWay, status=204, fresh=True),
    _api("GET", "/destinations", api_destinations.list_destinations, SIGNED_IN, answer=answers.DestinationList),
    _api(
        "POST",
        "/destinations",
        api_destinations.add,
        VERIFIED,
        body=asks.NewDestination,
        answer=answers.DestinationAnswer,
        status=201,
        fresh=True,
    ),
    _api("DELETE", "/destinations/{id}", api_destinations.remove, VERIFIED, status=204, fresh=True),
    _api("POST", "/destinations/{id}/test", api_destinations.test, VERIFIED, status=204),
    _api("GET", "/scans", scans.list_scans, SIGNED_IN, answer=answers.ScanList, query=(_LIMIT, _BEFORE)),
    _api("GET", "/scans/{id}", scans.get_scan, SIGNED_IN, answer=answers.ScanAnswer),
    _api("POST", "/scans/{id}/finish", scans.finish, SIGNED_IN, status=204),
    _api("POST", "/deliveries/{id}/retry", scans.retry, SIGNED_IN, status=204),
    _api("GET", "/events", events.stream, SIGNED_IN),
)

PAGES: tuple[Route, ...] = (
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
    _page("POST", "/scans/{id}/finish", main.finish_scan, SIGNED_IN),
    _page("POST", "/deliveries/{id}/retry", main.retry, SIGNED_IN),
    _page("GET", "/settings", main.settings, SIGNED_IN),
    _page("GET", "/settings/account", main.account, SIGNED_IN),
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
    _page("GET", "/destinations/{id}/remove", destinations.ask_remove, VERIFIED, fresh=True),
    _page("POST", "/destinations/{id}/remove", destinations.remove, VERIFIED, fresh=True),
)

PARTS: tuple[Route, ...] = (
    _part("/fragments/units", fragments.units),
    _part("/fragments/scans", fragments.scans),
    _part("/fragments/forwarding", fragments.forwarding),
    _part("/fragments/account", fragments.account),
    _part("/fragments/found", fragments.found),
    _part("/fragments/claims/{id}", fragments.claim),
)

ROUTES: tuple[Route, ...] = (*API, *PAGES, *PARTS, _file("/static/{name}"), _file("/favicon.ico"))


def register(app: web.Application, table: tuple[Route, ...] = ROUTES) -> None:
    """Add every row to the application, and remember which route stands for which row."""
    app[TABLE] = table
    app[ROWS] = {app.router.add_route(row.method, row.path, row.handler): row for row in table}
