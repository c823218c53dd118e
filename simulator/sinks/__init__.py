"""Destinations that record and misbehave, each on a free port of 127.0.0.1.

    faults.py    what a sink saw, and the rows that say how it misbehaves
    serving.py   any WSGI application, recorded, with its faults
    dav.py       a real WebDAV server in front of a folder
    paperless.py a simulated paperless-ngx, 2.x or 3.x; paperless_archive.py is what it knows, multipart.py its forms
    s3.py        a simulated S3 store (moto) behind a check of its signatures, s3_signature.py
    webhook.py   a receiver of signed documents and notices
    ntfy.py      a simulated ntfy server

`async with webdav_sink(folder) as sink`; `sink.misbehave(Fault("MOVE", Trouble.DROP_REPLY))`.
"""

from simulator.sinks.dav import DavSink, webdav_sink
from simulator.sinks.faults import Fault, Sink, Trouble
from simulator.sinks.ntfy import Message, NtfySink, ntfy_sink
from simulator.sinks.paperless import PaperlessSink, paperless_sink
from simulator.sinks.paperless_archive import Fate
from simulator.sinks.s3 import Answer, Condition, S3Sink, s3_sink
from simulator.sinks.webhook import Taken, WebhookSink, webhook_sink

__all__ = [
    "Answer",
    "Condition",
    "DavSink",
    "Fate",
    "Fault",
    "Message",
    "NtfySink",
    "PaperlessSink",
    "S3Sink",
    "Sink",
    "Taken",
    "Trouble",
    "WebhookSink",
    "ntfy_sink",
    "paperless_sink",
    "s3_sink",
    "webdav_sink",
    "webhook_sink",
]
