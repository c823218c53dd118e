"""What the tests of the S3 destination share: documents of one part and of two, and a destination for a store."""

import os
from collections.abc import Callable

from yarl import URL

from gateway.destinations.net import Guard
from gateway.destinations.port import Parcel
from gateway.destinations.s3 import S3Destination
from gateway.destinations.s3_bucket import PART_BYTES
from gateway.destinations.s3_client import Account
from simulator.sinks import S3Sink
from tests.destinations.conftest import NAME

SMALL = bytes(range(256)) * 300
LARGE = os.urandom(PART_BYTES + 4 * 1024 * 1024)  # two parts
PREFIX = "scans/é/"
KEY = PREFIX + NAME
LOCAL = Guard(("127.0.0.0/8",), ())
Make = Callable[..., Parcel]


def destination(store: S3Sink, *, guard: Guard = LOCAL, url: str = "", **other: str) -> S3Destination:
    values = {
        "region": store.region,
        "bucket": store.bucket,
        "access_key": store.access_key,
        "secret_key": store.secret_key,
    }
    return S3Destination(Account(URL(url or store.url), **values | other), PREFIX, guard)
