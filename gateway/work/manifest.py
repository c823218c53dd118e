"""The MAC that binds a sealed page to its place: a file that somebody moved or swapped does not pass for a page."""

from gateway.core.model import PageFile
from gateway.vault.device import DeviceKey


def page_mac(device: DeviceKey, page: PageFile) -> str:
    """Return the MAC over everything that the page's row says (path and MAC aside), as 32 hex digits."""
    return device.mac(
        "page",
        page.scan,
        page.account,
        page.unit,
        str(page.number),
        page.side,
        page.media_type,
        f"{page.width_px}x{page.height_px}@{page.resolution_dpi}",
        str(page.byte_count),
        f"{page.components} {page.colour}",
        page.sealed_sha256,
    )[:32]
