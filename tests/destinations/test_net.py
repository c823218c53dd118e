"""The outbound guard: what is refused when saved, and again at the moment of connecting."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from yarl import URL

from gateway.destinations.addresses import AllowList, embedded, is_own, is_public
from gateway.destinations.net import Guard
from gateway.destinations.port import Rejected, Unavailable

INSIDE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "64:ff9b:1::5db8:d822",
    "::127.0.0.1",
    "::169.254.169.254",
    "::ffff:0:127.0.0.1",
    "::ffff:0:c0a8:101",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2001:0:53aa:64c:0:fbff:80ff:fffe",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff::1",
    "5f00::1",
    "100::1",
    "100:0:0:1::1",
    "4000::1",
    "192.0.0.8",
    "192.88.99.1",
]


class Names(AbstractResolver):
    """A resolver whose answers are given; each call takes the next list of a name, the last one stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): lists for name, lists in answers.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        lists = self.answers.get(host)
        if lists is None:
            raise OSError("unknown name")
        addresses = lists.pop(0) if len(lists) > 1 else lists[0]
        return [
            ResolveResult(
                hostname=host,
                host=a,
                port=port,
                family=socket.AF_INET6 if ":" in a else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for a in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


class Listener:
    """A TCP server that counts connections and bytes and answers everything with one reply."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply
        self.connections = 0
        self.bytes_received = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        data = await reader.read(65536)
        self.bytes_received += len(data)
        writer.write(self.reply)
        writer.close()


@asynccontextmanager
async def listening(
    reply: bytes = b"HTTP/1.1 204 No Content\r\n\r\n", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Listener]:
    listener = Listener(reply)
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0, ssl=tls)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener


def shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@pytest.mark.parametrize("address", INSIDE)
async def test_addresses_inside_are_refused_with_the_line_that_would_allow_them(address: str) -> None:
    url = URL(f"https://{shown(address)}:8443/dav/")
    with pytest.raises(Rejected) as caught:
        await Guard((), ()).check(str(url))
    assert f'allow = ["{shown(url.host or "")}:8443"]' in str(caught.value)
    assert "[destinations]" in str(caught.value)


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_resolves_inside_is_refused_even_beside_a_public_address(address: str) -> None:
    guard = Guard((), (), resolver=Names(nas_example=[["93.184.216.34", address]]))
    with pytest.raises(Rejected, match=r'allow = \["nas\.example:443"\]'):
        await guard.check("https://nas.example/dav/")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
async def test_public_addresses_over_https_are_allowed(address: str) -> None:
    await Guard((), ()).check(f"https://{shown(address)}/")


async def test_plain_http_is_refused_unless_allowed() -> None:
    with pytest.raises(Rejected, match="without encryption"):
        await Guard((), ()).check("http://93.184.216.34/")
    await Guard(("93.184.216.34:80",), ()).check("http://93.184.216.34/")


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("192.168.1.5:8443", "https://192.168.1.5:8443/"),
        ("192.168.1.0/24", "http://192.168.1.5:8080/"),
        ("[::1]:5005", "http://[::1]:5005/"),
        ("fd00::/8", "https://[fd12::1]/"),
        ("127.0.0.1:5005", "http://127.0.0.1:5005/"),
        ("10.0.0.1:443", "https://[::ffff:10.0.0.1]/"),
        ("NAS.example:443", "https://nas.example/"),
    ],
)
async def test_the_allow_list_takes_endpoints_names_and_networks(entry: str, url: str) -> None:
    await Guard((entry,), (), resolver=Names(nas_example=[["192.168.1.5"]])).check(url)


@pytest.mark.parametrize("url", ["https://192.168.1.5:8444/", "https://192.168.1.6:8443/", "https://nas.example:444/"])
async def test_an_entry_allows_nothing_beside_itself(url: str) -> None:
    guard = Guard(("192.168.1.5:8443", "nas.example:443"), (), resolver=Names(nas_example=[["192.168.1.9"]]))
    with pytest.raises(Rejected):
        await guard.check(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8710/", "http://[::1]:8710/", "http://0.0.0.0:8710/", "http://me.example:8710/"]
)
async def test_our_own_ports_are_refused_whatever_is_allowed(url: str) -> None:
    allow = ("127.0.0.0/8", "::/0", "0.0.0.0/0", "me.example:8710", "127.0.0.1:8710")
    guard = Guard(allow, (8710,), resolver=Names(me_example=[["127.0.0.1"]]))
    with pytest.raises(Rejected, match="gateway itself"):
        await guard.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nas",
        "ftp://nas.example/",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "https://user:secret@93.184.216.34/",
        "https://93.184.216.34/?a=b",
        "https://93.184.216.34/#a",
        "https://93.184.216.34:0/",
        "https://93.184.216.34:99999/",
        "https://[::1/",
    ],
)
async def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Rejected):
        await Guard((), ()).check(url)


async def test_a_name_that_does_not_resolve_is_no_final_refusal() -> None:
    with pytest.raises(Unavailable, match="resolved"):
        await Guard((), (), resolver=Names()).check("https://nowhere.example/")


@pytest.mark.parametrize("entry", ["nas", "nas:", ":80", "nas:0", "nas:99999", "nas:http", "10.0.0.1/8", "10.0.0.0/99"])
def test_an_allow_list_that_cannot_be_read_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Guard((entry,), ())


async def test_a_name_that_resolves_differently_at_the_connection_gains_nothing() -> None:
    async with listening() as listener:
        url = f"https://cloud.example:{listener.port}/"
        guard = Guard((), (), resolver=Names(cloud_example=[["93.184.216.34"], ["127.0.0.1"]]))
        await guard.check(url)
        async with guard.session(URL(url)) as session:
            with pytest.raises(Rejected, match="inside"):
                await session.get(url)
        assert listener.connections == 0


async def test_an_address_literal_is_judged_at_the_connection_too() -> None:
    async with listening() as listener:
        url = f"http://127.0.0.1:{listener.port}/"
        async with Guard((), ()).session(URL(url)) as session:
            with pytest.raises(Rejected, match="inside"):
                await session.get(url)
        assert listener.connections == 0


async def test_an_allowed_name_is_reached() -> None:
    async with listening() as listener:
        url = f"http://nas.example:{listener.port}/"
        guard = Guard((f"nas.example:{listener.port}",), (), resolver=Names(nas_example=[["127.0.0.1"]]))
        async with guard.session(URL(url)) as session, session.get(url) as reply:
            assert reply.status == 204
        assert listener.connections == 1


async def test_plain_http_to_a_name_inside_an_allowed_network_does_not_follow_it_outside() -> None:
    guard = Guard(("127.0.0.0/8",), (), resolver=Names(nas_example=[["93.184.216.34"]]))
    async with guard.session(URL("http://nas.example/")) as session:
        with pytest.raises(Rejected, match="without encryption"):
            await session.get("http://nas.example/")


async def test_a_session_does_not_leave_its_origin_by_a_redirect() -> None:
    async with listening() as inner:
        reply = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner.port}/\r\nContent-Length: 0\r\n\r\n"
        async with listening(reply.encode()) as outer:
            url = f"http://127.0.0.1:{outer.port}/"
            async with Guard(("127.0.0.0/8",), ()).session(URL(url)) as session:
                with pytest.raises(Rejected, match="redirects"):
                    await session.get(url)
        assert (outer.connections, inner.connections) == (1, 0)


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as proxy, listening() as listener:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        url = f"http://127.0.0.1:{listener.port}/"
        async with Guard(("127.0.0.0/8",), ()).session(URL(url)) as session, session.get(url) as reply:
            assert reply.status == 204
        assert (proxy.connections, listener.connections) == (0, 1)


async def test_a_bad_certificate_gets_no_byte_of_the_body(tmp_path: Path) -> None:
    async with listening(tls=self_signed(tmp_path)) as listener:
        url = f"https://127.0.0.1:{listener.port}/"
        async with Guard(("127.0.0.0/8",), ()).session(URL(url)) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.put(url, data=b"secret")
        assert listener.bytes_received == 0


def test_public_means_one_machine_on_the_internet() -> None:
    assert not any(is_public(ip_address(a)) for a in INSIDE)
    assert is_public(ip_address("93.184.216.34"))


def test_own_addresses_are_known() -> None:
    assert all(is_own(ip_address(a)) for a in ("127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1"))
    assert not any(is_own(ip_address(a)) for a in ("93.184.216.34", "192.0.2.1", "224.0.0.1"))


def test_an_embedded_address_is_seen_through() -> None:
    assert str(embedded(ip_address("::ffff:10.0.0.1"))) == "10.0.0.1"
    assert str(embedded(ip_address("64:ff9b::a00:1"))) == "10.0.0.1"
    assert str(embedded(ip_address("::ffff:0:10.0.0.1"))) == "10.0.0.1"
    assert str(embedded(ip_address("::10.0.0.1"))) == "10.0.0.1"
    assert str(embedded(ip_address("2002:a00:1:7:8::9"))) == "10.0.0.1"
    assert str(embedded(ip_address("fe80::1%3"))) == "fe80::1"
    assert str(embedded(ip_address("::1"))) == "::1"
    assert str(embedded(ip_address("::"))) == "::"


@pytest.mark.parametrize("address", ["::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"])
def test_this_machine_is_known_under_whatever_stands_for_it(address: str) -> None:
    assert is_own(ip_address(address))


@pytest.mark.parametrize("address", ["2a00:1450:4001::8a", "2606:4700::1", "2002:5db8:d822::1", "64:ff9b::5db8:d822"])
def test_a_public_address_stays_one(address: str) -> None:
    assert is_public(ip_address(address))


def test_an_empty_allow_list_covers_nothing() -> None:
    assert not AllowList.parse(()).covers("nas", 80, ip_address("10.0.0.1"))


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem += key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
