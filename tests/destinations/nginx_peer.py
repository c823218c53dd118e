"""A WebDAV server that nobody here wrote: nginx with the dav and dav-ext modules, run as the present user."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.destinations.net import Guard
from gateway.destinations.webdav import WebdavDestination
from tests.conformance.peers import kept, there
from tests.destinations.sftp_peers import free_port

PACKAGES = "nginx-light, libnginx-mod-http-dav-ext"
_MODULE = Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")
_OTHERS = ("proxy", "fastcgi", "uwsgi", "scgi")  # it makes their folders at its start, used or not
_CONFIGURATION = """
daemon off;
master_process off;  # a worker of root's would be somebody else
pid {here}/pid;
error_log stderr notice;
load_module {module};
events {{}}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    client_max_body_size 0;
    {others}
    server {{
        listen 127.0.0.1:{port};
        root {here}/served;
        location / {{
            dav_methods PUT DELETE MKCOL MOVE;
            dav_ext_methods PROPFIND OPTIONS;
            create_full_put_path off;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running server: the address of its root, and its folder as we see it."""

    url: str
    folder: Path

    def destination(self) -> WebdavDestination:
        return WebdavDestination(self.url, "anna", "nobody asks", Guard(("127.0.0.0/8",), ()))

    def files(self) -> list[str]:
        return sorted(p.name for p in self.folder.iterdir())


def program() -> str | None:
    """Return the path of the program, None unless the module is there, too."""
    return there("nginx") if _MODULE.exists() else None


@asynccontextmanager
async def nginx(folder: Path) -> AsyncIterator[Nginx]:
    """Serve a new folder below `folder`, empty, without authentication; bodies lie on the same disk meanwhile."""
    (folder / "served").mkdir()
    (folder / "body").mkdir()
    port = free_port()
    others = " ".join(f"{name}_temp_path {folder}/{name};" for name in _OTHERS)
    text = _CONFIGURATION.format(here=folder, module=_MODULE, port=port, others=others)
    (folder / "nginx.conf").write_text(text, "utf-8")
    words = ("-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf"))
    async with kept(str(program()), *words, until=b"event method"):
        yield Nginx(f"http://127.0.0.1:{port}/", folder / "served")
