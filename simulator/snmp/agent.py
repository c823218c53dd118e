"""An SNMP agent on UDP: GET, GETNEXT and GETBULK of versions 1 and 2c. It reads; nothing can be set.

Whoever does not know the community, and whatever is no request, gets no answer (RFC 3584, 5.2).
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable

from simulator.fleet import Snmp
from simulator.snmp import mib
from simulator.snmp.ber import BerError, Oid
from simulator.snmp.wire import (
    END_OF_VIEW,
    NO_SUCH_OBJECT,
    UNSPECIFIED,
    V1,
    Binding,
    Error,
    Kind,
    Request,
    parse,
    response,
)

_MAX_REQUEST_BYTES = 2048  # MAX_BINDINGS names of usual length
_MAX_ANSWER_BYTES = 1400  # one Ethernet frame; GETBULK fills it and stops
_PER_SECOND = 100


class SnmpAgent(asyncio.DatagramProtocol):
    """The agent of one unit. `start`, then `address`; `close` at the end. `spec` may be changed as it runs.

    `answered` and `dropped` count datagrams; `silent` drops all of them.
    """

    def __init__(self, spec: Snmp, *, powered: Callable[[], bool] = lambda: True) -> None:
        self.spec = spec
        self.answered = 0
        self.dropped = 0
        self.silent = False
        self._powered = powered
        self._transport: asyncio.DatagramTransport | None = None
        self._began_s = 0.0

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port; RuntimeError before `start`."""
        if self._transport is None:
            raise RuntimeError("the agent is not started")
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    async def start(self) -> None:
        """Listen; OSError if the port is taken."""
        loop = asyncio.get_running_loop()
        self._began_s = loop.time()
        where = (self.spec.address, self.spec.port)
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=where)

    async def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a request, drop all else."""
        answer = None if self.silent or not self._powered() else self.answer(data)
        if answer is None:
            self.dropped += 1
            return
        self.answered += 1
        if self._transport is not None:
            self._transport.sendto(answer, addr)

    def answer(self, datagram: bytes) -> bytes | None:
        """Return the response to a datagram, or None where there is none."""
        if len(datagram) > _MAX_REQUEST_BYTES:
            return None
        try:
            request = parse(datagram)
        except BerError:
            return None
        if request.community != self.spec.community.encode():
            return None
        return self._ask(request, _View(mib.table(self.spec, self._uptime_cs())))

    def _uptime_cs(self) -> int:
        if self._transport is None:
            return 0
        return int((asyncio.get_running_loop().time() - self._began_s) * _PER_SECOND)

    def _ask(self, request: Request, view: "_View") -> bytes:
        if request.kind is Kind.SET:
            error = Error.READ_ONLY if request.version == V1 else Error.NOT_WRITABLE
            return response(request, _unanswered(request), error, 1)
        if request.kind is Kind.GET_BULK:
            return _bulk(request, view)
        find = view.get if request.kind is Kind.GET else view.following
        rows = tuple(find(oid) for oid in request.oids)
        missing = next((at for at, row in enumerate(rows, 1) if row.value in (NO_SUCH_OBJECT, END_OF_VIEW)), 0)
        if missing and request.version == V1:
            return response(request, _unanswered(request), Error.NO_SUCH_NAME, missing)
        answer = response(request, rows)
        return answer if len(answer) <= _MAX_ANSWER_BYTES else response(request, (), Error.TOO_BIG)


class _View:
    """A table that can be walked."""

    def __init__(self, rows: dict[Oid, bytes]) -> None:
        self._rows = rows
        self._names = list(rows)

    def get(self, oid: Oid) -> Binding:
        return Binding(oid, self._rows.get(oid, NO_SUCH_OBJECT))

    def following(self, oid: Oid) -> Binding:
        at = bisect_right(self._names, oid)
        if at == len(self._names):
            return Binding(oid, END_OF_VIEW)
        return Binding(self._names[at], self._rows[self._names[at]])


def _bulk(request: Request, view: _View) -> bytes:
    """Return as many of the rows asked for as one frame takes (RFC 3416, 4.2.3)."""
    single, repeated = request.oids[: request.non_repeaters], request.oids[request.non_repeaters :]
    rows = [view.following(oid) for oid in single]
    answer = response(request, tuple(rows))
    for _ in range(request.repetitions if repeated else 0):
        turn = [view.following(oid) for oid in repeated]
        longer = response(request, (*rows, *turn))
        if len(longer) > _MAX_ANSWER_BYTES:
            break
        rows, answer, repeated = [*rows, *turn], longer, tuple(row.oid for row in turn)
        if all(row.value == END_OF_VIEW for row in turn):
            break
    return answer if len(answer) <= _MAX_ANSWER_BYTES else response(request, (), Error.TOO_BIG)


def _unanswered(request: Request) -> tuple[Binding, ...]:
    return tuple(Binding(oid, UNSPECIFIED) for oid in request.oids)
