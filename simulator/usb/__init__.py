"""The cable: a USB device model, a USB/IP server that exports it, and the pyusb backend that imports it."""
