"""The sockets on which we listen, opened before anything else: who cannot have its port says so at once."""

import contextlib
import os
import socket
import stat
from ipaddress import ip_address
from pathlib import Path

_BACKLOG = 128


def tcp(address: str, port: int) -> socket.socket:
    """Listen at an IP address; "::" takes IPv4, too. OSError names the address."""
    six = ip_address(address).version == 6
    try:
        return socket.create_server(
            (address, port),
            family=socket.AF_INET6 if six else socket.AF_INET,
            backlog=_BACKLOG,
            dualstack_ipv6=six and ip_address(address).is_unspecified and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        raise OSError(error.errno, f"cannot listen at {address} port {port}: {error.strerror}") from None


def unix(path: Path, mode: int) -> socket.socket:
    """Listen at a path, in the place of what a killed daemon left there; OSError names the path."""
    clear(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen at {path}: {error.strerror or error}") from None
    finally:
        os.umask(before)
    sock.listen(_BACKLOG)
    return sock


def clear(path: Path) -> None:
    """Take away a socket that nobody listens at any more; anything else stays where it is."""
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def port_of(sock: socket.socket) -> int:
    """Return the port that we got; 0 at a Unix socket."""
    return 0 if sock.family == socket.AF_UNIX else int(sock.getsockname()[1])
