"""A daemon in a process of its own: `python child.py STATE ARCHIVE PORT [DISCOVERY ADVERTISEMENT SERIAL ...]`.

PORT is that of somebody else's simulated USB bus by USB/IP; 0: the machine's own bus, through libusb. With the ports of
somebody else's simulated Wi-Fi it looks there, too; units with these serial numbers belong to you@example.org.
"""

import asyncio
import sys
from pathlib import Path

from gateway import app
from gateway.settings import Destinations, History, Network, Paths, Registration, Settings, Web
from simulator.usb.backend import UsbIpBackend


async def main(state: Path, archive: Path, port: int, vens_ports: tuple[int, int] | None, serials: list[str]) -> None:
    network = Network(broadcast=("127.255.255.255",), mdns=("127.0.0.1",)) if vens_ports else Network(find=False)
    owners = tuple(f"{serial}=you@example.org" for serial in serials)
    settings = Settings(
        paths=Paths(state=state, runtime=state / "run"),
        web=Web(port=0),
        network=network,
        registration=Registration("serials", serials=owners) if owners else Registration(),
        destinations=Destinations(roots=(archive,)),
        history=History(keep_free_percent=0),
    )
    backend = UsbIpBackend("127.0.0.1", port) if port else None
    async with app.build(settings, usb_backend=backend, vens_ports=vens_ports) as daemon:
        await daemon.run(ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    state, archive, port, *ports = sys.argv[1:4] + sys.argv[4:6]
    discovery, advertisement = map(int, ports or (0, 0))
    on_the_air = (discovery, advertisement) if ports else None
    asyncio.run(main(Path(state), Path(archive), int(port), on_the_air, sys.argv[6:]))
