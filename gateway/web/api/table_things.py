"""The API's rows about units and scans: who may, what goes in and out, why it may say no."""

from gateway.web import copies
from gateway.web.api import answers_things as answers
from gateway.web.api import asks, events, scans
from gateway.web.api import units as api_units
from gateway.web.api.row import LIMIT, api
from gateway.web.api.settings import ScanSettings
from gateway.web.route import SIGNED_IN, VERIFIED, Query, Route

_BEFORE = Query("before", "string", "`next` of the page before, or a time (ISO 8601 with offset) of which only older")
_SINCE = Query("since", "integer", "The moment that a page knows of; what changed since then is told at once")
_COPIED = ("not_found", "sealed", "page_damaged", "too_many_copies")

THINGS: tuple[Route, ...] = (
    api("GET", "/found", api_units.list_found, SIGNED_IN, answer=answers.FoundList),
    api(
        "POST",
        "/claims",
        api_units.open_claim,
        SIGNED_IN,
        body=asks.OpenClaim,
        answer=answers.ClaimAnswer,
        status=201,
        denies=("not_found", "unit_not_found", "unit_not_driven", "unit_owned", "too_many_claims", "unusable"),
        once=True,
    ),
    api("GET", "/claims/{id}", api_units.get_claim, SIGNED_IN, answer=answers.ClaimAnswer, denies=("not_found",)),
    api("GET", "/units", api_units.list_units, SIGNED_IN, answer=answers.UnitList),
    api("GET", "/units/{id}", api_units.get_unit, SIGNED_IN, answer=answers.UnitAnswer, denies=("not_found",)),
    api("GET", "/units/{id}/settings", api_units.get_settings, SIGNED_IN, answer=ScanSettings, denies=("not_found",)),
    api(
        "PATCH",
        "/units/{id}",
        api_units.rename,
        SIGNED_IN,
        body=asks.Rename,
        answer=answers.UnitAnswer,
        denies=("not_found", "unusable"),
        guarded=True,
    ),
    api(
        "PUT",
        "/units/{id}/settings",
        api_units.configure,
        SIGNED_IN,
        body=ScanSettings,
        answer=answers.UnitAnswer,
        denies=("not_found", "unusable"),
        guarded=True,
    ),
    api(
        "DELETE", "/units/{id}", api_units.remove, SIGNED_IN, status=204, fresh=True, denies=("not_found", "last_unit")
    ),
    api(
        "POST",
        "/units/{id}/scan",
        api_units.scan,
        SIGNED_IN,
        status=204,
        denies=("unit_not_found", "unit_not_ready"),
        once=True,
    ),
    api("PUT", "/units/{id}/lending", api_units.lend, SIGNED_IN, status=204, denies=("not_found", "unit_busy")),
    api("DELETE", "/units/{id}/lending", api_units.take_back, SIGNED_IN, status=204, denies=("not_found",)),
    api(
        "POST",
        "/units/{id}/password",
        api_units.set_password,
        SIGNED_IN,
        body=asks.WayPassword,
        status=204,
        denies=("not_found", "unusable"),
    ),
    api(
        "POST",
        "/units/{id}/trust",
        api_units.trust,
        SIGNED_IN,
        body=asks.TrustWay,
        status=204,
        fresh=True,
        denies=("not_found", "fingerprint_changed"),
    ),
    api(
        "POST",
        "/units/{id}/part",
        api_units.part,
        SIGNED_IN,
        body=asks.NamedWay,
        status=204,
        fresh=True,
        denies=("not_found", "last_way"),
    ),
    api("GET", "/scans", scans.list_scans, SIGNED_IN, answer=answers.ScanList, query=(LIMIT, _BEFORE)),
    api("GET", "/scans/{id}", scans.get_scan, SIGNED_IN, answer=answers.ScanAnswer, denies=("not_found",)),
    api("DELETE", "/scans/{id}", scans.delete, SIGNED_IN, status=204, fresh=True, denies=("not_found", "scan_busy")),
    api("GET", "/scans/{id}/pages", scans.list_pages, SIGNED_IN, answer=answers.PageList, denies=("not_found",)),
    api(
        "GET",
        "/scans/{id}/pages/{page}/thumbnail",
        copies.thumbnail,
        VERIFIED,
        denies=("not_found", "sealed", "page_damaged"),
        media_type="image/*",
    ),
    api(
        "GET",
        "/scans/{id}/pages/{page}",
        copies.page,
        VERIFIED,
        fresh=True,
        denies=_COPIED,
        media_type="image/*",
    ),
    api(
        "GET",
        "/scans/{id}/document",
        copies.document,
        VERIFIED,
        fresh=True,
        denies=_COPIED,
        media_type="application/pdf",
    ),
    api("POST", "/scans/{id}/finish", scans.finish, SIGNED_IN, status=204, denies=("not_found", "not_paused")),
    api("GET", "/events", events.stream, SIGNED_IN, query=(_SINCE,), media_type="text/event-stream"),
)
