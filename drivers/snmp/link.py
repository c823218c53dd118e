"""Questions to one SNMP agent and its answers: a UDP socket that hears this one address, bounded in time and number."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from drivers.errors import PeerError, Unreachable
from drivers.snmp import messages
from drivers.snmp.messages import Answer
from drivers.snmp.wire import Oid, Value

_RESOLVE_TIMEOUT_S = 3.0  # a name server that is down must not hold up a round
_HEARD = 16  # datagrams kept while one is looked at; more are a flood
_NONSENSE = 8  # late answers to a repeated question are few; each datagram costs up to 5 ms
_PER_MESSAGE = 16  # rows of one GETBULK: they fit into one datagram


class _Ear(asyncio.DatagramProtocol):
    """Keep what arrives; an address that is closed says so (ICMP)."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes | OSError] = asyncio.Queue(_HEARD)

    def datagram_received(self, data: bytes, _from: object) -> None:
        self._keep(data)

    def error_received(self, error: Exception) -> None:
        if isinstance(error, OSError):
            self._keep(error)

    def _keep(self, what: bytes | OSError) -> None:
        if not self.heard.full():
            self.heard.put_nowait(what)


class Link:
    """An agent that may be asked; made by `connected`. One question at a time.

    Each may raise Unreachable (silence, a closed port) or PeerError (only nonsense came).
    """

    def __init__(
        self, transport: asyncio.DatagramTransport, ear: _Ear, *, community: str, timeout_s: float, retries: int
    ) -> None:
        self._transport = transport
        self._ear = ear
        self._community = community
        self._timeout_s = timeout_s
        self._retries = retries

    async def get(self, oids: Sequence[Oid]) -> dict[Oid, Value]:
        """Return the values of those objects that there are; none if the agent refuses the question."""
        number = _number()
        answer = await self._asked(number, messages.get(number, self._community, oids))
        return {oid: answer.values[oid] for oid in oids if oid in answer.values}

    async def walk(self, column: Oid, most: int) -> dict[Oid, Value]:
        """Return the first `most` objects below `column`; the walk ends early where the agent goes astray."""
        rows: dict[Oid, Value] = {}
        last, on = column, True
        while on and len(rows) < most:
            number = _number()
            question = messages.get_bulk(number, self._community, last, _PER_MESSAGE)
            answer = await self._asked(number, question)
            on = bool(answer.values)
            for oid, value in answer.values.items():
                on = oid[: len(column)] == column and oid > last and len(rows) < most
                if not on:
                    break
                rows[oid], last = value, oid
        return rows

    async def _asked(self, number: int, question: bytes) -> Answer:
        """Send a question, again after each time-out; return the answer to it."""
        nonsense: list[PeerError] = []
        for _ in range(1 + self._retries):
            self._transport.sendto(question)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout_s):
                    return await self._answer(number, nonsense)
        if nonsense:
            raise nonsense[-1]
        raise Unreachable("Nobody answers SNMP there")

    async def _answer(self, number: int, nonsense: list[PeerError]) -> Answer:
        """Wait for the answer to a question, past some nonsense."""
        while len(nonsense) < _NONSENSE:
            data = await self._datagram()
            try:
                answer = messages.answer(data, self._community)
            except PeerError as error:
                nonsense.append(error)
                continue
            if answer.request_id == number:
                return answer
            nonsense.append(PeerError("SNMP: an answer to what was not asked"))
        raise nonsense[-1]

    async def _datagram(self) -> bytes:
        heard = await self._ear.heard.get()
        if isinstance(heard, OSError):
            raise Unreachable(f"Nobody answers SNMP there: {heard.strerror or heard}") from heard
        return heard


@asynccontextmanager
async def connected(host: str, port: int, *, community: str, timeout_s: float, retries: int) -> AsyncIterator[Link]:
    """Open a socket towards one agent, closed at the end; Unreachable if there is no way or no such name."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_TIMEOUT_S):
            transport, ear = await loop.create_datagram_endpoint(_Ear, remote_addr=(host, port))
    except (OSError, UnicodeError, TimeoutError) as error:
        raise Unreachable(f"There is no way to {host}: {error}") from error
    try:
        yield Link(transport, ear, community=community, timeout_s=timeout_s, retries=retries)
    finally:
        transport.close()


def _number() -> int:
    """Return a request id that nobody can guess: what was not asked for is not believed."""
    return secrets.randbelow(2**31)
