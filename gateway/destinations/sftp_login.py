"""Getting into an SSH server: the pinned host key first, then the user; every failure becomes a sentence.

Nothing of this machine's own SSH life takes part: no configuration, agent, known hosts, keys or certificates.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncssh

from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Rejected, Unavailable

LOGIN_S = (
    30.0  # slow boards take seconds for the key exchange, and many servers ask DNS for our name before they answer
)
_SHOWN_CHARACTERS = 120  # of what a server says about a failure
# Algorithm of a host key -> how it may sign (RFC 8709, RFC 5656, RFC 8332). A server has a key of each type.
_HOST_KEYS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-256", "rsa-sha2-512"),
}
# Trusted host keys, trusted authorities, revoked keys: only the pin decides.
_NOBODY: tuple[list[str], list[str], list[str]] = ([], [], [])

# What the SFTP server answers -> (for good?, sentence).
_ANSWERS: dict[type[asyncssh.SFTPError], tuple[bool, str]] = {
    asyncssh.SFTPNoSuchFile: (True, "the folder does not exist on the server"),
    asyncssh.SFTPNoSuchPath: (True, "the folder does not exist on the server"),
    asyncssh.SFTPNotADirectory: (True, "the path names a file, not a folder"),
    asyncssh.SFTPPermissionDenied: (True, "the server gives this user no right to write there"),
    asyncssh.SFTPInvalidFilename: (True, "the server does not take this name"),
    asyncssh.SFTPWriteProtect: (False, "the server's disk is write-protected"),
    asyncssh.SFTPNoSpaceOnFilesystem: (False, "the server has no room left"),
    asyncssh.SFTPQuotaExceeded: (False, "the server has no room left for this user"),
    asyncssh.SFTPConnectionLost: (False, "the connection to the server failed"),
    asyncssh.SFTPNoConnection: (False, "the connection to the server failed"),
    asyncssh.SFTPBadMessage: (False, "the server does not answer like SFTP"),
}
# What ends an SSH connection -> (for good?, sentence).
_ENDS: dict[type[asyncssh.DisconnectError], tuple[bool, str]] = {
    asyncssh.PermissionDenied: (True, "the server refuses the user name, the password or the key"),
    asyncssh.IllegalUserName: (True, "the server refuses the user name"),
    asyncssh.KeyExchangeFailed: (True, "the server has no key or cipher that the gateway takes"),
    asyncssh.ProtocolError: (False, "the server does not answer like SSH"),
    asyncssh.ProtocolNotSupported: (False, "the server does not answer like SSH"),
}


@dataclass(frozen=True, slots=True)
class Login:
    """Where to, who, and which host key must be there: "SHA256:..." as `ssh-keygen -l` prints it, "" for none yet."""

    host: str
    port: int
    username: str
    host_key: str
    password: str = field(default="", repr=False)
    private_key: asyncssh.SSHKey | None = field(default=None, repr=False)


async def connected(guard: Guard, login: Login) -> asyncssh.SSHClientConnection:
    """Return a connection that is signed in; DestinationError. No credential goes to a host with another key.

    A server shows one of its keys. Where that is not the pinned one, we come back and ask for the other types.
    """
    algorithms = dict(_HOST_KEYS)
    refusal: Rejected | None = None
    while algorithms:
        pinned = _Pinned(login.host_key)
        try:
            return await _attempt(guard, login, pinned, algorithms)
        except asyncssh.HostKeyNotVerifiable:
            refusal = refusal or pinned.refusal()
            if not login.host_key or algorithms.pop(pinned.algorithm, None) is None:
                raise refusal from None
        except asyncssh.KeyExchangeFailed as error:
            raise refusal or explained(error) from error
        except Unavailable as error:  # OpenSSH says nothing when it has no key of a type, and closes
            raise (refusal if refusal and pinned.met_silence else error) from None
    raise refusal or Rejected("the server shows no host key")


async def _attempt(
    guard: Guard, login: Login, pinned: "_Pinned", algorithms: dict[str, tuple[str, ...]]
) -> asyncssh.SSHClientConnection:
    try:
        options = _options(login, pinned, algorithms)
    except ValueError as error:  # RFC 4013: some characters are in no user name
        raise Rejected(f"username: {error}") from error
    sock = await guard.connect(login.host, login.port, plain=False)
    try:
        with explaining(asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed):
            async with asyncio.timeout(LOGIN_S):
                return await asyncssh.connect(sock=sock, config=None, options=options)
    except BaseException:
        sock.close()
        raise


def _options(
    login: Login, pinned: "_Pinned", algorithms: dict[str, tuple[str, ...]]
) -> asyncssh.SSHClientConnectionOptions:
    """Name every source of trust and of credentials: each of them has a default below ~/.ssh or in the environment."""
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        client_factory=lambda: pinned,
        known_hosts=_NOBODY,
        server_host_key_algs=[name for names in algorithms.values() for name in names],
        x509_trusted_certs=None,
        x509_trusted_cert_paths=[],
        username=login.username,
        password=login.password or None,
        client_keys=[login.private_key] if login.private_key else None,
        public_key_auth=login.private_key is not None,
        password_auth=bool(login.password),
        kbdint_auth=bool(login.password),  # how servers with PAM often ask for it
        host_based_auth=False,
        gss_kex=False,  # it would take the place of the host key
        gss_auth=False,
        agent_path=None,
        agent_identities=None,
        agent_forwarding=False,
        pkcs11_provider=None,
        compression_algs=None,  # documents are compressed already
        utf8_decode_errors="replace",
        login_timeout=LOGIN_S,
    )


class _Pinned(asyncssh.SSHClient):
    """Takes one host key and keeps what was shown; asyncssh then has the server prove that the key is its own."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self._shown = ""
        self._connection: asyncssh.SSHClientConnection | None = None
        self.algorithm = ""

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Keep the connection."""
        self._connection = conn

    @property
    def met_silence(self) -> bool:
        """Tell whether an SSH server answered, and showed no key."""
        answered = self._connection is not None and self._connection.get_extra_info("server_version")
        return bool(answered) and not self._shown

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Compare fingerprints; False ends the connection before anybody signs in."""
        self._shown, self.algorithm = key.get_fingerprint(), key.get_algorithm()
        return bool(self._fingerprint) and self._shown == self._fingerprint

    def refusal(self) -> Rejected:
        """Return the sentence for a key that is not the pinned one."""
        if not self._shown:
            return Rejected("the server shows a host key that cannot be read")
        advice = "compare it with `ssh-keygen -lf` on the server and enter it"
        if not self._fingerprint:
            return Rejected(f"host_key: the server shows {self._shown}; {advice}")
        return Rejected(
            f"host_key: the server shows another key than the one entered, {self._shown}; nothing was sent. "
            f"If the server was set up anew, {advice}"
        )


@contextmanager
def explaining(*let_through: type[Exception]) -> Iterator[None]:
    """Turn whatever a conversation raises into a DestinationError. Only calls to the server stand inside."""
    try:
        yield
    except let_through:
        raise
    except (asyncssh.Error, OSError, TimeoutError, ValueError) as error:
        raise explained(error) from error


def explained(error: Exception) -> DestinationError:
    """Return the sentence for what asyncssh raises; ValueError: an answer that cannot be parsed."""
    if isinstance(error, TimeoutError):
        return Unavailable("the server does not answer in time")
    if isinstance(error, asyncssh.SFTPError):
        final, sentence = _ANSWERS.get(type(error), (False, f"the server reports a failure{_reason(error)}"))
    elif isinstance(error, asyncssh.DisconnectError):
        final, sentence = _ENDS.get(type(error), (False, "the connection to the server failed"))
    elif isinstance(error, asyncssh.ChannelOpenError):
        final, sentence = True, "the server does not offer SFTP to this user"
    elif isinstance(error, ValueError):
        final, sentence = False, "the server does not answer like SFTP"
    else:
        final, sentence = False, "the connection to the server failed"
    return Rejected(sentence) if final else Unavailable(sentence)


def _reason(error: asyncssh.SFTPError) -> str:
    """Return what a server said, as far as one may show it; OpenSSH says "Failure" and no more."""
    said = "".join(c if c.isprintable() else " " for c in error.reason).strip()
    return f": {said[:_SHOWN_CHARACTERS]}" if said and said != "Failure" else ""
