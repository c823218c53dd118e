"""Which clients know two-factor authentication, as one table. A version is a gate of compatibility, not of security.

A client names itself `ScanSnapCloud/<major>.<minor>` anywhere in User-Agent, or by the header
`ScanSnap-Cloud-Version: <major>.<minor>`, which wins. The forms of our own pages do not ask here: they are current.
"""

import re

from aiohttp import web

from gateway.core.model import Level
from gateway.web import context, problems
from gateway.work.outcomes import Denied, Grant

# What an account has on, and the first version that may sign in to it then.
FIRST: dict[str, tuple[int, int]] = {"two_factor": (1, 7)}
PRODUCT = "ScanSnapCloud"
HEADER = "ScanSnap-Cloud-Version"
TOO_OLD = Denied("client_too_old", "Update the ScanSnap Cloud application to the latest version, then sign in.", 426)

# Four digits are plenty, and a number of a megabyte is never made an integer. Further parts (1.7.3) count for nothing.
_NUMBER = r"([0-9]{1,4})\.([0-9]{1,4})(?![0-9])"
_IN_AGENT = re.compile(rf"(?<![\w-]){PRODUCT}/{_NUMBER}", re.ASCII)
_IN_HEADER = re.compile(rf"{_NUMBER}(?:[.+-][\w.+-]{{0,40}})?", re.ASCII)


def version(request: web.Request) -> tuple[int, int] | None:
    """Return (major, minor) of the client, or None if it names none, or names it so that nobody can read it."""
    told = request.headers.get(HEADER)
    agent = request.headers.get("User-Agent", "")
    found = _IN_AGENT.search(agent) if told is None else _IN_HEADER.fullmatch(told.strip())
    return (int(found[1]), int(found[2])) if found else None


def current(request: web.Request, what: str = "two_factor") -> bool:
    """Tell whether the client may sign in to an account that has `what` on."""
    named = version(request)
    return named is not None and named >= FIRST[what]


def too_old() -> web.Response:
    """Answer 426 with the version that is needed in Upgrade (RFC 9110 15.5.22; 7.8 asks for Connection with it)."""
    answer = problems.response(TOO_OLD)
    answer.headers["Upgrade"] = f"{PRODUCT}/{'.'.join(map(str, FIRST['two_factor']))}"
    answer.headers["Connection"] = "upgrade"
    return answer


async def refuse_half_open(request: web.Request, outcome: Grant | Denied) -> web.Response | None:
    """Return the refusal of a password that was right but came from an old client; its half-open session ends."""
    if isinstance(outcome, Denied) or outcome.session.level is not Level.LP or current(request):
        return None
    sessions, caller = context.services(request).sessions, context.caller(request)
    await sessions.sign_out(outcome.session, everywhere=False, caller=caller)
    return too_old()


async def refuse_code(request: web.Request) -> web.Response | None:
    """Return the refusal of a code from an old client, whether it is right or not; the half-open session ends."""
    session = context.visitor(request).session
    if session.level is not Level.LP or current(request):
        return None
    await context.services(request).sessions.sign_out(session, everywhere=False, caller=context.caller(request))
    return too_old()
