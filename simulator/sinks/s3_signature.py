"""Checks the signature of a request to S3 as the store would: AWS Signature Version 4, in the Authorization header.

Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)".
"""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request), ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW = timedelta(minutes=15)
_UNPREFIXED = ("content-type", "content-length")  # WSGI gives them without HTTP_


def fault_of(environ: Mapping[str, Any], body: bytes, *, access_key: str, secret_key: str, region: str) -> str:
    """Return the error code that a request deserves, empty for none."""
    found = _AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None:
        return "AccessDenied"
    if found["key"] != access_key:
        return "InvalidAccessKeyId"
    if found["region"] != region:
        return "AuthorizationHeaderMalformed"
    at = datetime.strptime(environ["HTTP_X_AMZ_DATE"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - at) > _SKEW:
        return "RequestTimeTooSkewed"
    if not hmac.compare_digest(_signature(environ, found, secret_key), found["signature"]):
        return "SignatureDoesNotMatch"
    return _damage(environ, body)


def _damage(environ: Mapping[str, Any], body: bytes) -> str:
    if environ["HTTP_X_AMZ_CONTENT_SHA256"] != hashlib.sha256(body).hexdigest():
        return "XAmzContentSHA256Mismatch"
    md5 = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode("ascii")
    return "BadDigest" if environ.get("HTTP_CONTENT_MD5", md5) != md5 else ""


def _signature(environ: Mapping[str, Any], found: re.Match[str], secret_key: str) -> str:
    digest = hashlib.sha256(_canonical(environ, found["signed"]).encode("latin-1")).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", environ["HTTP_X_AMZ_DATE"], found["scope"], digest))
    key = f"AWS4{secret_key}".encode()
    for part in found["scope"].split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _canonical(environ: Mapping[str, Any], signed: str) -> str:
    path, _, query = environ["REQUEST_URI"].partition("?")
    pairs = sorted(pair if "=" in pair else f"{pair}=" for pair in query.split("&") if pair)
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in signed.split(";"))
    lines = (environ["REQUEST_METHOD"], path, "&".join(pairs), headers, signed, environ["HTTP_X_AMZ_CONTENT_SHA256"])
    return "\n".join(lines)


def _header(environ: Mapping[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    return " ".join(environ.get(key if name in _UNPREFIXED else f"HTTP_{key}", "").split())
