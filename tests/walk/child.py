"""A daemon in a process of its own: `python child.py STATE ARCHIVE PORT`.

PORT is that of somebody else's simulated USB bus by USB/IP; 0: the machine's own bus, through libusb.
"""

import asyncio
import sys
from pathlib import Path

from gateway import app
from gateway.settings import Destinations, Network, Paths, Settings, Web
from simulator.usb.backend import UsbIpBackend


async def main(state: Path, archive: Path, port: int) -> None:
    settings = Settings(
        paths=Paths(state=state, runtime=state / "run"),
        web=Web(port=0),
        network=Network(find=False),
        destinations=Destinations(roots=(archive,)),
    )
    backend = UsbIpBackend("127.0.0.1", port) if port else None
    async with app.build(settings, usb_backend=backend) as daemon:
        await daemon.run(ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
