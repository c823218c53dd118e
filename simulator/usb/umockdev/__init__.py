"""The simulated USB bus underneath any process: umockdev's preload library, served by us (CONFORMANCE.md, tier 2).

tree.py   what libudev and libusb read: sysfs, device nodes, and the messages of udev
wire.py   the words that the preload library and we exchange over a Unix socket
node.py   one device node: usbdevfs as the kernel does it, over a ScanSnapUsb
bus.py    all units together, plugged and pulled
"""
