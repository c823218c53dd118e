"""Scanners: how they are found, spoken to and drained of pages.

Rooms, the same file names in every family:
    port.py    what the gateway sees of any scanner; errors.py the one error tree; models.py rows with their source
    octets.py  a bounded big-endian cursor; flow.py runs a dialogue (a generator) over an exchange
    scsi/      the Fujitsu command set that USB (and, later, Wi-Fi) carries: no I/O at all
    usb/       the USB way: wire.py bytes <-> messages, link.py moves them, scanner.py, finder.py
Nothing here knows the gateway or the simulator.
"""
