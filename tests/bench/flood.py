"""A flood of datagrams to ports of this machine: `python -m tests.bench.flood PER_S SECONDS PORT ...`; then it ends."""

import os
import socket
import sys
import time

_BURST_S = 0.01


def main(per_s: int, seconds: float, ports: list[int]) -> None:
    """Send garbage, half of it shaped like a message, from an address of nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.99.0.1", 0))
        garbage = [os.urandom(48), b"\x00\x00\x00\x30VENS" + os.urandom(40), os.urandom(500), os.urandom(132)]
        print("flooding", flush=True)
        began_s, sent = time.monotonic(), 0
        while (passed_s := time.monotonic() - began_s) < seconds:
            while sent < per_s * passed_s:
                sock.sendto(garbage[sent % len(garbage)], ("127.0.0.1", ports[sent % len(ports)]))
                sent += 1
            time.sleep(_BURST_S)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), [int(port) for port in sys.argv[3:]])
