"""A program on the real libusb without our driver: `bare.py NAME` does one of the functions below. JSON on stdout."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import usb.core
import usb.util

INQUIRY = (b"C" + bytes(18) + bytes.fromhex("12 00 00 00 60 00")).ljust(31, b"\0")
LONG_MS = 30_000


def _found() -> Any:
    return usb.core.find(idVendor=0x04C5)


def names() -> dict[str, Any]:
    """Return what libusb says of the device, and the answer to one command."""
    device = _found()
    device.set_configuration()
    device.reset()
    device.write(0x02, INQUIRY)
    data = bytes(device.read(0x81, 96))
    return {
        "manufacturer": device.manufacturer,
        "product": device.product,
        "speed": device.speed,
        "ports": list(device.port_numbers),
        "inquiry": data[8:32].decode("ascii"),
        "status": bytes(device.read(0x81, 13)).hex(),
    }


def idle() -> dict[str, Any]:
    """Wait for bytes that do not come: the reason for the end, the time, and the processor's part of it."""
    device = _found()
    usb.util.claim_interface(device, 0)
    began_s, used_s = time.monotonic(), time.process_time()
    try:
        device.read(0x81, 96, timeout=1000)
    except usb.core.USBTimeoutError as error:
        return {"errno": error.errno, "s": time.monotonic() - began_s, "cpu_s": time.process_time() - used_s}
    return {}


def claim() -> dict[str, Any]:
    """Claim the interface; the errno, or 0."""
    try:
        usb.util.claim_interface(_found(), 0)
    except usb.core.USBError as error:
        return {"errno": error.errno}
    return {"errno": 0}


def exclusive() -> list[Any]:
    """Claim here, and again in another process: while it is held here, and afterwards."""
    device = _found()
    usb.util.claim_interface(device, 0)
    held = _in_another_process("claim")
    usb.util.release_interface(device, 0)
    return [held, _in_another_process("claim")]


def unplug() -> dict[str, Any]:
    """Pull the cable while a read waits, put it in again, and look for the device in the same process."""
    device = _found()
    usb.util.claim_interface(device, 0)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_errno_of, lambda: device.read(0x81, 96, timeout=LONG_MS))
        _plug(plugged=False)
        codes = [reading.result(LONG_MS / 1000), _errno_of(lambda: device.write(0x02, INQUIRY))]
    usb.util.dispose_resources(device)
    gone = _wait(lambda: _found() is None)
    _plug(plugged=True)
    back = _wait(lambda: _found() is not None)
    return {"errnos": codes, "gone": gone, "back": back, "moved": _found().address > device.address, "idle": idle()}


def _errno_of(call: Any) -> int:
    try:
        call()
    except usb.core.USBError as error:
        return int(error.errno)
    return 0


def _plug(*, plugged: bool) -> None:
    where = f"{os.environ['SCANSNAP_PANEL']}/units/{os.environ['UNIT']}/plug"
    body = json.dumps({"plugged": plugged}).encode()
    urllib.request.urlopen(urllib.request.Request(where, body, method="POST")).read()


def _wait(so: Any) -> bool:
    """Tell whether libusb hears of it; it looks at its own messages only, never at the bus."""
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        if so():
            return True
        time.sleep(0.01)
    return False


def _in_another_process(name: str) -> Any:
    return json.loads(subprocess.run([sys.executable, __file__, name], capture_output=True, check=True).stdout)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
