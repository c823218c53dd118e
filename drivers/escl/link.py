"""HTTP to one eSCL service: bounded, without redirects and proxies, over TLS only to the key that is pinned."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drivers.errors import PeerError, Refused, Unreachable
from drivers.escl import wire

PLAIN = "plain"
_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 15.0  # a unit that wakes up; questions are answered at once otherwise
_PAGE_TIMEOUT_S = 60.0  # section 3.4: some block until the page is there
_CHUNK_BYTES = 64 * 1024
_SILENT = "The scanner does not answer: check that it is on and in the network"


@dataclass(frozen=True, slots=True)
class Key:
    """What a TLS service showed: SHA-256 of its public key (SPKI, hexadecimal) and of the certificate around it."""

    spki: str
    certificate: bytes


async def key_of(base: str) -> Key | None:
    """Shake hands and return the service's key, None for plain HTTP. Nothing is asked; Unreachable."""
    parts = urlsplit(base)
    if parts.scheme != "https":
        return None
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=_context())
    except (OSError, TimeoutError, ssl.SSLError) as error:
        raise Unreachable(_SILENT) from error
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return Key(_spki(shown), hashlib.sha256(shown).digest())
    finally:
        writer.transport.abort()


def _spki(certificate: bytes) -> str:
    try:
        public = x509.load_der_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise PeerError("The scanner's certificate cannot be read") from error
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _context() -> ssl.SSLContext:
    """Return a context that takes any certificate: scanners sign their own, the key is pinned instead."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Link:
    """The service at `base`; `key` is the one that it must show, None for plain HTTP. `close` at the end."""

    def __init__(self, base: str, key: Key | None) -> None:
        self._base = base.rstrip("/")
        parts = urlsplit(self._base)
        self._path, self._origin = parts.path, f"{parts.scheme}://{parts.netloc}"
        pinned = aiohttp.Fingerprint(key.certificate) if key is not None else False
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=2, ssl=pinned),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S, sock_read=_ANSWER_TIMEOUT_S),
            middlewares=(_never_again,),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    @classmethod
    async def pinned(cls, base: str, pin: str) -> "Link":
        """Connect to a service that shows the pinned key; Refused, and nothing asked, if it shows another."""
        key = await key_of(base)
        if (key.spki if key is not None else PLAIN) != pin:
            raise Refused("The scanner shows another TLS key than before, so nothing was sent to it")
        return cls(base, key)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def about(self) -> wire.About:
        """Ask for the capabilities."""
        return wire.About.decode(await self._xml("ScannerCapabilities"))

    async def state(self) -> wire.State:
        """Ask for the status."""
        return wire.State.decode(await self._xml("ScannerStatus"))

    async def start(self, job: wire.Job) -> tuple[int, str, float]:
        """Ask for a job and return the HTTP status, its path where it was made, and how long to wait otherwise."""
        headers = {"Content-Type": "text/xml"}
        async with self._request("POST", f"{self._path}/ScanJobs", data=job.encode(), headers=headers) as answer:
            made = answer.status == 201
            path = wire.job_path(answer.headers.get("Location", ""), self._path) if made else ""
            return answer.status, path, _retry_after_s(answer)

    @asynccontextmanager
    async def next_document(self, job: str) -> AsyncIterator[tuple[int, AsyncIterator[bytes], float]]:
        """Ask for the next page: HTTP status, its bytes, how long to wait otherwise."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S, sock_read=_PAGE_TIMEOUT_S)
        async with self._request("GET", f"{job}/NextDocument", timeout=timeout) as answer:
            yield answer.status, _chunks(answer), _retry_after_s(answer)

    async def delete(self, job: str) -> None:
        """End a job."""
        async with self._request("DELETE", job):
            pass

    async def _xml(self, name: str) -> bytes:
        async with self._request("GET", f"{self._path}/{name}") as answer:
            if answer.status == 503:
                raise Unreachable("The scanner is busy: it is asked again")
            if answer.status != 200:
                raise PeerError(f"{name}: HTTP {answer.status}")
            body = await answer.content.read(wire.MAX_XML_BYTES + 1)
            while not answer.content.at_eof() and len(body) <= wire.MAX_XML_BYTES:
                body += await answer.content.read(wire.MAX_XML_BYTES + 1 - len(body))
            return body

    @asynccontextmanager
    async def _request(self, method: str, path: str, **more: object) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            url = f"{self._origin}{path}"
            async with self._session.request(method, url, allow_redirects=False, **more) as answer:  # type: ignore[arg-type]
                yield answer
        except aiohttp.ServerFingerprintMismatch as error:
            raise Refused("The scanner shows another TLS key than before, so nothing was sent to it") from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError, OSError) as error:
            raise Unreachable(_SILENT) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise PeerError(f"The scanner's answer is no HTTP: {type(error).__name__}") from error


async def _never_again(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep a request that broke off from being sent once more unseen: the second answer may be the next page."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ServerFingerprintMismatch):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Unreachable(_SILENT) from error


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the body; Unreachable where it breaks off."""
    try:
        async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable("The connection to the scanner broke off in the middle of a page") from error


def _retry_after_s(answer: aiohttp.ClientResponse) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(10.0, float(text)) if text.isascii() and text.isdigit() and len(text) < 5 else 1.0
