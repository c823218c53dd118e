"""Destinations that record and misbehave, each on a free port of 127.0.0.1.

    faults.py    what a sink saw, and the rows that say how it misbehaves
    serving.py   any WSGI application, recorded, with its faults
    dav.py       a real WebDAV server in front of a folder

`async with webdav_sink(folder) as sink`; `sink.misbehave(Fault("MOVE", Trouble.DROP_REPLY))`.
"""

from simulator.sinks.dav import DavSink, webdav_sink
from simulator.sinks.faults import Fault, Sink, Trouble

__all__ = ["DavSink", "Fault", "Sink", "Trouble", "webdav_sink"]
