"""TLS: an authority of the gateway's own, certificates that change while it runs, given ones, and plain HTTP's end."""

import asyncio
import os
import socket
import ssl
import stat
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from gateway import console
from gateway.settings import Paths, Settings, Web
from gateway.web import authority, tls
from gateway.web.authority import Pair, TlsError
from tests.web.conftest import Shifted, until
from tests.web.doors import Door, careless, client, door, trusting

OWN = Web(port=0, tls="own")


async def the_authority(here: Door) -> str:
    """Get the authority's certificate as a phone does at first: over a connection that it cannot trust yet."""
    async with client(careless()) as http, http.get(f"{here.url}/ca.crt") as answer:
        assert (answer.status, answer.content_type) == (200, "application/x-x509-ca-cert")
        return await answer.text()


def shown(here: Door, context: ssl.SSLContext, name: str = "127.0.0.1") -> x509.Certificate:
    """Make a handshake and return the certificate that was shown; ssl.SSLError."""
    raw = socket.create_connection(("127.0.0.1", here.port), timeout=10)
    with raw, context.wrap_socket(raw, server_hostname=name) as wrapped:
        return x509.load_der_x509_certificate(wrapped.getpeercert(binary_form=True) or b"")


async def seen(here: Door, context: ssl.SSLContext, name: str = "127.0.0.1") -> x509.Certificate:
    return await asyncio.to_thread(shown, here, context, name)


async def test_a_phone_that_trusts_the_authority_reaches_the_pages_by_every_name_without_a_warning(
    tmp_path: Path,
) -> None:
    async with door(tmp_path, Web(port=0, tls="own", hosts=("scans.example.org",))) as here:
        trusted = trusting(await the_authority(here))
        async with client(trusted) as http, http.get(f"{here.url}/trust") as answer:
            page = await answer.text()
            fingerprint = here.daemon.tls.authority.fingerprint
            assert answer.status == 200
            assert all(f"<span>{pair}</span>" in page for pair in fingerprint.split(":"))
        for name in ("127.0.0.1", "localhost", "scansnap-gateway.local", "scans.example.org"):
            await seen(here, trusted, name)
        with pytest.raises(ssl.SSLCertVerificationError):
            await seen(here, trusted, "bank.example")


async def test_the_console_shows_the_fingerprint_of_what_phones_get_as_text_and_as_qr_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with door(tmp_path, OWN) as here:
        certificate = x509.load_pem_x509_certificate((await the_authority(here)).encode())
        told = await asyncio.to_thread(console.trust, here.settings)
    assert told.splitlines()[-1] == f"SHA-256 {Pair(certificate, None).fingerprint}"  # type: ignore[arg-type]
    assert f"{told.splitlines()[-1]} (scansnap-gateway trust)" in caplog.text
    assert told.splitlines()[-2].startswith("https://")
    assert "█" in told
    with pytest.raises(console.ConsoleError, match="no certificate authority"):
        console.trust(Settings(paths=here.settings.paths))


async def test_a_session_over_tls_has_a_cookie_that_is_bound_to_this_host_and_to_tls(tmp_path: Path) -> None:
    async with door(tmp_path, OWN) as here, client(trusting(await the_authority(here))) as http:
        form = here.setup() | {"again": here.setup()["password"]}
        async with http.post(f"{here.url}/setup", data=form, headers={"Origin": here.url}) as answer:
            assert answer.status == 200, await answer.text()
            cookies = answer.headers.getall("Set-Cookie")
        async with http.get(f"{here.url}/", allow_redirects=False) as answer:
            assert answer.status == 200  # it knows its session again
    kept = next(cookie for cookie in cookies if cookie.startswith("__Host-sid="))
    assert {part.strip().lower() for part in kept.split(";")[1:]} == {"httponly", "path=/", "samesite=strict", "secure"}
    assert all(cookie.startswith("__Host-") and "Secure" in cookie for cookie in cookies)


async def test_a_cookie_without_the_prefix_is_nobody_over_tls(tmp_path: Path) -> None:
    async with door(tmp_path, OWN) as here, client(trusting(await the_authority(here))) as http:
        async with http.post(f"{here.url}/api/v1/setup", json=here.setup()) as answer:
            token = (await answer.json())["token"]
        for name, status in (("sid", 401), ("__Host-sid", 200)):
            headers = {"Cookie": f"{name}={token}"}
            async with http.get(f"{here.url}/api/v1/account", headers=headers) as answer:
                assert answer.status == status, name


async def test_a_certificate_is_renewed_without_a_restart_and_open_connections_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 0.02)
    clock = Shifted()
    async with door(tmp_path, OWN, clock) as here:
        trusted = trusting(await the_authority(here))
        first = await seen(here, trusted)
        span = first.not_valid_after_utc - datetime.now(UTC)
        assert timedelta(days=89) < span <= timedelta(days=90)
        async with client(trusted) as http:
            async with http.get(f"{here.url}/trust") as answer:
                assert answer.status == 200
            clock.ahead = timedelta(days=61)

            async def renewed() -> bool:
                return (await seen(here, careless())).serial_number != first.serial_number

            await until("another certificate", renewed)
            async with http.get(f"{here.url}/ca.crt") as answer:  # on the connection from before
                assert await answer.text() == await the_authority(here)
        ends = (await seen(here, careless())).not_valid_after_utc
        assert ends > first.not_valid_after_utc + timedelta(days=60)


async def test_a_new_name_gets_into_the_certificate_without_a_restart(tmp_path: Path) -> None:
    async with door(tmp_path, OWN) as here:
        trusted = trusting(await the_authority(here))
        with pytest.raises(ssl.SSLCertVerificationError):
            await seen(here, trusted, "scansnap-gateway-2.local")
        here.known_as("scansnap-gateway-2.local")
        await seen(here, trusted, "scansnap-gateway-2.local")


def speaks_six() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


async def test_at_every_address_the_url_is_one_that_a_browser_can_open(tmp_path: Path) -> None:
    hosts = {"0.0.0.0": ("127.0.0.1",), "::": ("127.0.0.1", "[::1]")}
    for address, others in hosts.items():
        if address == "::" and not speaks_six():
            continue
        async with door(tmp_path, Web(address=address, port=0)) as here, client(careless()) as http:
            assert here.url.startswith("https://")
            assert address not in here.url
            for url in (f"https://{other}:{here.port}" for other in others):
                async with http.get(f"{url}/setup") as answer:
                    assert answer.status == 200, url


async def test_a_restart_shows_the_same_certificate_and_authority(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        async with door(tmp_path, OWN) as here:
            found.append((await the_authority(here), await seen(here, careless())))
    assert found[0] == found[1]


async def test_both_keys_lie_sealed_and_for_nobody_else(tmp_path: Path) -> None:
    async with door(tmp_path, OWN):
        pass
    folder = tmp_path / "state" / "tls"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in (folder / "authority.pem", folder / "leaf.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "ENCRYPTED PRIVATE KEY" in path.read_text("ascii")
    (folder / "leaf.pem").chmod(0o644)
    with pytest.raises(TlsError, match="others may read it"):
        async with door(tmp_path, OWN):
            pass
    (folder / "leaf.pem").chmod(0o600)
    (tmp_path / "state" / "device.key").unlink()
    with pytest.raises(Exception, match=r"device.key|device key"):
        async with door(tmp_path, OWN):
            pass


async def test_a_name_outside_the_authoritys_limits_is_left_out_and_the_log_says_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with door(tmp_path, OWN):
        pass
    async with door(tmp_path, Web(port=0, tls="own", hosts=("scans.example.org",))) as here:
        trusted = trusting(await the_authority(here))
        await seen(here, trusted)
        with pytest.raises(ssl.SSLCertVerificationError):
            await seen(here, trusted, "scans.example.org")
    assert "was not made for scans.example.org" in caplog.text


async def test_only_tls_1_2_and_newer_is_spoken(tmp_path: Path) -> None:
    async with door(tmp_path, OWN) as here:
        for newest, spoken in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
            context = careless()
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = newest
            if spoken:
                await seen(here, context)
            else:
                with pytest.raises(ssl.SSLError):
                    await seen(here, context)


async def test_plain_http_leads_pages_to_https_refuses_the_api_and_never_sets_a_cookie(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        plain = free.getsockname()[1]
    async with door(tmp_path, Web(port=0, plain_port=plain, tls="own")) as here, client() as http:
        base = f"http://127.0.0.1:{plain}"
        for method, path in (("GET", "/"), ("GET", "/sign-in?next=1"), ("POST", "/setup"), ("GET", "/static/app.js")):
            async with http.request(method, f"{base}{path}", allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (308, f"{here.url}{path}")
                assert "Set-Cookie" not in answer.headers
        for method, path in (("POST", "/api/v1/setup"), ("GET", "/api/v1/nothing"), ("GET", "/fragments/units")):
            async with http.request(method, f"{base}{path}", json=here.setup(), allow_redirects=False) as answer:
                assert answer.status == 403
                assert (await answer.json())["type"].endswith("/plain_http")
                assert "Set-Cookie" not in answer.headers
        async with http.get(f"{base}/", headers={"Host": "evil.example"}, allow_redirects=False) as answer:
            assert answer.status == 421
        with pytest.raises(aiohttp.ClientError):
            async with http.get(f"http://127.0.0.1:{here.port}/"):
                pass


# --- certificates of the administrator's


def put(folder: Path, name: str, *, key_of: Pair | None = None, password: bytes | None = None) -> Pair:
    """Put a certificate for `name` into a folder as an ACME client does: each file replaced by renaming."""
    now = datetime.now(UTC)
    pair = authority.vouch(authority.make((name,), now), authority.general((name, "127.0.0.1")), now)
    key = (key_of or pair).key_pem(None)
    if password:
        box = BestAvailableEncryption(password)
        key = pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, box)
    for file, pem in (("key.pem", key), ("cert.pem", pair.pem)):
        (folder / f"{file}.new").write_bytes(pem)
        (folder / f"{file}.new").replace(folder / file)
    return pair


def given(folder: Path) -> Web:
    return Web(port=0, tls="given", certificate=str(folder / "cert.pem"), key=str(folder / "key.pem"))


async def test_a_given_certificate_is_shown_and_a_renewed_one_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 0.02)
    first = put(tmp_path, "one.example")
    async with door(tmp_path, given(tmp_path)) as here:
        assert await seen(here, careless()) == first.certificate
        async with client(careless()) as http, http.get(f"{here.url}/ca.crt") as answer:
            assert answer.status == 404
        (tmp_path / "cert.pem").write_text("not yet whole", "ascii")

        async def complained() -> bool:
            return "the certificate stays as it was" in caplog.text

        await until("the complaint", complained)
        assert await seen(here, careless()) == first.certificate
        second = put(tmp_path, "two.example")

        async def shows_the_second() -> bool:
            return await seen(here, careless()) == second.certificate

        await until("the second certificate", shows_the_second)
        assert caplog.text.count("the certificate stays as it was") <= 3  # once for each state of the files


@pytest.mark.parametrize("trouble", ["missing", "mismatch", "password"])
async def test_a_given_certificate_that_cannot_be_used_is_told_at_the_start(tmp_path: Path, trouble: str) -> None:
    other = authority.make((), datetime.now(UTC))
    put(
        tmp_path, "x", key_of=other if trouble == "mismatch" else None, password=b"p" if trouble == "password" else None
    )
    if trouble == "missing":
        (tmp_path / "key.pem").unlink()
    with pytest.raises(TlsError, match=r"key\.pem: No such file|cannot be used"):
        async with door(tmp_path, given(tmp_path)):
            pass


async def test_the_command_line_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    put(tmp_path, "x", key_of=authority.make((), datetime.now(UTC)))
    environment = os.environ | {
        "SCANSNAP_PATHS_STATE": str(tmp_path / "state"),
        "SCANSNAP_PATHS_RUNTIME": str(tmp_path / "run"),
        "SCANSNAP_WEB_TLS": "given",
        "SCANSNAP_WEB_CERTIFICATE": str(tmp_path / "cert.pem"),
        "SCANSNAP_WEB_KEY": str(tmp_path / "key.pem"),
        "SCANSNAP_WEB_PORT": "0",
        "SCANSNAP_NETWORK_FIND": "false",
    }
    command = [sys.executable, "-m", "gateway", "run"]
    ran = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "scansnap-gateway: the certificate and its key cannot be used: key values mismatch\n"


async def test_a_taken_port_is_told_with_its_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen at 127.0.0.1 port {port}"):
            async with door(tmp_path, Web(port=port)):
                pass


def test_without_tls_nothing_is_made(tmp_path: Path) -> None:
    settings = Settings(paths=Paths(state=tmp_path, runtime=tmp_path))
    assert tls.build(settings, b"password", Shifted()) is None
    assert not list(tmp_path.iterdir())
