"""Who has a USB device open: a name for the person who is to end it (proc(5), /proc/PID/fd)."""

from contextlib import suppress
from pathlib import Path


def holder(bus: int, address: int) -> str:
    """Return "name (process 123)" of another process that has the device open; "" if none can be seen.

    Processes of other users are seen by root only.
    """
    node = f"/dev/bus/usb/{bus:03}/{address:03}"
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.name != str(_own()) and any(_leads_to(link, node) for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text('utf-8', 'replace').strip()} (process {process.name})"
    return ""


def _own() -> int:
    return int(Path("/proc/self").readlink().name)


def _leads_to(link: Path, node: str) -> bool:
    try:
        return str(link.readlink()) == node
    except OSError:
        return False
