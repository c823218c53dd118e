"""The simulated USB bus underneath any process: umockdev's preload library, served by us.

tree.py      what libudev and libusb read: sysfs, device nodes, and the messages of udev
wire.py      the words that the preload library and we exchange over a Unix socket
opening.py   one open file of a device node, and the process behind it
claim.py     who of them has the unit's interface
node.py      one device node: usbdevfs as the kernel does it, over a ScanSnapUsb
bus.py       all units together, plugged and pulled
"""
