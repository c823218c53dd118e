"""SFTP servers for the tests: OpenSSH's, rclone's, and one in process that records and misbehaves."""

import asyncio
import os
import pwd
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from gateway.destinations.net import Guard
from gateway.destinations.sftp import SftpDestination
from gateway.destinations.sftp_login import Login
from tests.conformance.conftest import need
from tests.conformance.peers import kept, there

GUARD = Guard(("127.0.0.0/8",), ())
PASSWORD = "correct horse"
USERNAME = "anna"
USER_KEY = asyncssh.generate_private_key("ssh-ed25519")
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
OTHER_HOST_KEY = asyncssh.generate_private_key("ssh-rsa", key_size=2048)


@dataclass(frozen=True)
class Server:
    """A running server: how one gets in, `path` as it names its folder, `folder` as we see it."""

    login: Login
    path: str
    folder: Path

    def destination(self) -> SftpDestination:
        return SftpDestination(self.login, self.path, GUARD)

    def files(self) -> list[str]:
        return sorted(p.name for p in self.folder.iterdir())


@asynccontextmanager
async def openssh(folder: Path, *, host_key: str = "ed25519") -> AsyncIterator[Server]:
    """Run OpenSSH's sshd as the present user with its own configuration, keys of two types, and key sign-in."""
    program = there("sshd")
    need(program, "openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as root it insists on an empty place to confine itself to
    keys = {"ed25519": HOST_KEY, "rsa": OTHER_HOST_KEY}
    for name, key in keys.items():
        key.write_private_key(folder / name)
        (folder / name).chmod(0o600)
    USER_KEY.write_public_key(folder / "user.pub")
    served, port = _served(folder), free_port()
    lines = [
        f"ListenAddress 127.0.0.1:{port}",
        *(f"HostKey {folder / name}" for name in keys),
        f"AuthorizedKeysFile {folder / 'user.pub'}",
        "StrictModes no",
        "PidFile none",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "Subsystem sftp internal-sftp",
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n", "ascii")
    fingerprint = keys[host_key].get_fingerprint()
    username = pwd.getpwuid(os.geteuid()).pw_name
    async with kept(str(program), "-D", "-e", "-f", str(folder / "sshd_config"), until=b"Server listening"):
        login = Login("127.0.0.1", port, username, fingerprint, private_key=USER_KEY)
        yield Server(login, str(served), served)


@asynccontextmanager
async def rclone_server(folder: Path) -> AsyncIterator[Server]:
    """Run `rclone serve sftp`: a password, no fsync, a rename that replaces; it looks at its folder anew each time."""
    program = there("rclone")
    need(program, "rclone")
    HOST_KEY.write_private_key(folder / "key")
    (folder / "key").chmod(0o600)
    served, port = _served(folder), free_port()
    (folder / "rclone.conf").touch()
    words = ["--config", str(folder / "rclone.conf"), "--addr", f"127.0.0.1:{port}", "--key", str(folder / "key")]
    words += ["--user", USERNAME, "--pass", PASSWORD, "--dir-cache-time", "0"]
    home = str(folder)
    async with kept(str(program), "serve", "sftp", *words, str(served), until=b"listening", HOME=home):
        login = Login("127.0.0.1", port, USERNAME, HOST_KEY.get_fingerprint(), PASSWORD)
        yield Server(login, "/", served)


@dataclass
class Fault:
    """What happens to the requests with this name: `error` is raised instead of doing it, or after it."""

    request: str
    error: Exception | None = None
    after: bool = False
    drop: bool = False
    hang: bool = False
    at_byte: int = 0
    short: bool = False
    full: bool = False


@dataclass
class Story:
    """What a server in process saw, and what it shall do wrong."""

    folder: Path
    faults: list[Fault] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[["Story"], bool], timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def in_process(
    folder: Path, *, host_key: asyncssh.SSHKey = HOST_KEY, served: Path | None = None
) -> AsyncIterator[tuple[Server, Story]]:
    """Serve `served`, or else a new folder, over SFTP in this process, with a password; faults go to the story."""
    served = served or _served(folder)
    story = Story(served)
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host_key],
        server_factory=lambda: _Owner(story),
        sftp_factory=lambda channel: _Sftp(channel, story),
        config=None,
    )
    port = acceptor.get_port()
    login = Login("127.0.0.1", port, USERNAME, HOST_KEY.get_fingerprint(), PASSWORD)
    try:
        yield Server(login, "/", served), story
    finally:
        story.over.set()
        acceptor.close()
        await acceptor.wait_closed()


class _Owner(asyncssh.SSHServer):
    def __init__(self, story: Story) -> None:
        self._story = story

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._story.passwords.append(password)
        return (username, password) == (USERNAME, PASSWORD)


class _Sftp(asyncssh.SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], story: Story) -> None:
        super().__init__(channel, chroot=os.fsencode(story.folder))
        self._story = story

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        return await self._do("open", lambda: super(_Sftp, self).open(path, pflags, attrs))

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        done = await self._do("write", lambda: super(_Sftp, self).write(file_obj, offset, data), offset)
        assert isinstance(done, int)
        return done

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._do("rename", lambda: super(_Sftp, self).rename(oldpath, newpath))

    async def remove(self, path: bytes) -> None:
        await self._do("remove", lambda: super(_Sftp, self).remove(path))

    async def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        found = await self._do("lstat", lambda: super(_Sftp, self).lstat(path))
        attrs = asyncssh.SFTPAttrs.from_local(found)  # type: ignore[arg-type]
        if attrs.size and any(f.short for f in self._story.faults):
            attrs.size -= 1
        return attrs

    def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        room = 0 if any(f.full for f in self._story.faults) else 1000
        return asyncssh.SFTPVFSAttrs(bsize=4096, frsize=4096, blocks=1000, bfree=room, bavail=room)

    async def _do(self, request: str, act: Callable[[], object], at: int = 0) -> object:
        self._story.requests.append(request)
        fault = next((f for f in self._story.faults if f.request == request and at >= f.at_byte), None)
        if fault is None:
            return act()
        done = act() if fault.after else None
        if fault.drop:
            self.channel.get_connection().abort()
        if fault.hang:
            await self._story.over.wait()
        if fault.error is not None:
            raise fault.error
        return done if fault.after else act()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def _served(folder: Path) -> Path:
    served = folder / "served"
    served.mkdir()
    return served
