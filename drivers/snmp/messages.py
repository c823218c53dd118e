"""SNMP v2c messages: our questions as bytes, an agent's answer as values. Sans-IO; the codec is pysnmp's.

Of pysnmp only the messages are used: its engine takes an answer from any address, keeps a socket and a timer between
the rounds, and costs 24 MB and 150 ms to load; the messages alone cost 3 MB and 25 ms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyasn1.codec.ber import decoder, encoder  # type: ignore[import-untyped]
from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]
from pyasn1.type import univ  # type: ignore[import-untyped]
from pysnmp.proto.api import v2c  # type: ignore[import-untyped]

from drivers.errors import PeerError
from drivers.snmp.wire import Oid, Value

MOST_BYTES = 2048  # five strings of 255 bytes with their names, or 32 rows; decoding that many takes 5 ms at the worst
_VERSION = 1  # v2c, as it is written in a message

# The codec's own error, and what slips out of it on lengths, indices and types that no sane agent writes.
_UNREADABLE = (PyAsn1Error, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response to one request: the values of what there is, in the agent's order.

    `refused`: its error status, 0 for none; then there are no values.
    """

    request_id: int
    refused: int
    values: Mapping[Oid, Value]


def get(request_id: int, community: str, oids: Sequence[Oid]) -> bytes:
    """Write a GET of these objects."""
    pdu = v2c.GetRequestPDU()
    v2c.apiPDU.set_defaults(pdu)
    return _message(pdu, v2c.apiPDU, request_id, community, oids)


def get_bulk(request_id: int, community: str, after: Oid, most: int) -> bytes:
    """Write a GETBULK of at most `most` objects that come after one in the agent's order."""
    pdu = v2c.GetBulkRequestPDU()
    v2c.apiBulkPDU.set_defaults(pdu)
    v2c.apiBulkPDU.set_max_repetitions(pdu, most)
    return _message(pdu, v2c.apiBulkPDU, request_id, community, [after])


def _message(pdu: object, api: v2c.PDUAPI, request_id: int, community: str, oids: Sequence[Oid]) -> bytes:
    api.set_request_id(pdu, request_id)
    api.set_varbinds(pdu, [(oid, v2c.null) for oid in oids])
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, community.encode())
    v2c.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


def answer(data: bytes, community: str) -> Answer:
    """Read a response of our community; PeerError for everything else."""
    if len(data) > MOST_BYTES:
        raise PeerError(f"SNMP: a message of {len(data)} bytes, more than {MOST_BYTES}")
    try:
        return _read(data, community)
    except _UNREADABLE as error:
        raise PeerError(f"SNMP: no message of v2c ({type(error).__name__})") from error


def _read(data: bytes, community: str) -> Answer:
    message, rest = decoder.decode(data, asn1Spec=v2c.Message())
    if rest or int(v2c.apiMessage.get_version(message)) != _VERSION:
        raise PeerError("SNMP: another version, or more than one message")
    if bytes(v2c.apiMessage.get_community(message)) != community.encode():
        raise PeerError("SNMP: another community")
    pdu = v2c.apiMessage.get_pdu(message)
    if not isinstance(pdu, v2c.ResponsePDU):
        raise PeerError("SNMP: a message that is no response")
    refused = int(v2c.apiPDU.get_error_status(pdu))
    values: dict[Oid, Value] = {}
    for oid, value in [] if refused else v2c.apiPDU.get_varbinds(pdu):
        if not isinstance(value, univ.Null):  # "no such object" and "no more of them" are kinds of it
            values.setdefault(tuple(oid), _value(value))
    return Answer(int(v2c.apiPDU.get_request_id(pdu)), refused, values)


def _value(value: object) -> Value:
    if isinstance(value, univ.OctetString):
        return bytes(value)
    return tuple(value) if isinstance(value, univ.ObjectIdentifier) else int(value)  # type: ignore[call-overload]
