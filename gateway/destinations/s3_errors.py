"""What S3's error codes mean for the outbox and for a person.

Source of the codes: Amazon S3 API Reference, "Error responses". A store may answer with codes of its own: then the
HTTP status decides. HEAD has no body, there the library gives the status as the code.
"""

import re
from collections.abc import Mapping
from typing import Any, Self

from gateway.destinations.http import SENTENCES as BY_STATUS
from gateway.destinations.http import retry_after_s
from gateway.destinations.port import DestinationError, Rejected, Unavailable

_RIGHTS = (
    "it needs s3:PutObject, s3:AbortMultipartUpload and s3:GetObject for the objects, "
    "s3:ListBucket and s3:ListBucketMultipartUploads for the bucket"
)
_SLOWER = (False, "the store asks to slow down")
_KEYS = (True, "the store does not know the access key")
_FULL = (False, "the store has no room left")
_DAMAGED = (False, "a part arrived damaged; the document is sent again")

# code -> (for good?, sentence)
SENTENCES: dict[str, tuple[bool, str]] = {
    "AccessDenied": (True, f"the access key is wrong or has not every right here; {_RIGHTS}"),
    "BadDigest": _DAMAGED,
    "EntityTooLarge": (True, "the document is too large for the store"),
    "EntityTooSmall": (True, "the store wants larger parts than it should"),
    "InvalidAccessKeyId": _KEYS,
    "InvalidBucketName": (True, "the store does not allow such a name for a bucket"),
    "KeyTooLongError": (True, "the prefix and the name are too long for the store"),
    "MethodNotAllowed": (True, "the store does not know multipart uploads, or does not let them be aborted"),
    "NoSuchBucket": (True, "the bucket does not exist in the store"),
    "NoSuchUpload": (False, "the store dropped the upload; the document is sent again"),
    "NotImplemented": (True, "the store does not know multipart uploads or conditions"),
    "OperationAborted": (False, "something else is going on with this object or bucket"),
    "QuotaExceeded": _FULL,
    "RequestLimitExceeded": _SLOWER,
    "RequestTimeTooSkewed": (False, "the clocks of the gateway and of the store differ by more than 15 minutes"),
    "RequestTimeout": (False, "the store waited too long for the upload"),
    "ServiceUnavailable": _SLOWER,
    "SignatureDoesNotMatch": (True, "the secret key does not belong to the access key"),
    "SlowDown": _SLOWER,
    "Throttling": _SLOWER,
    "TooManyRequests": _SLOWER,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XMinioStorageFull": _FULL,
}
_STATUSES: dict[int, tuple[bool, str]] = {
    **BY_STATUS,
    401: (True, "the store refuses the access key or the secret key"),
    403: (True, f"the access key is wrong or has not every right here; {_RIGHTS}"),
    404: (True, "the bucket or the address does not exist"),
    409: (False, "something else is going on with this object"),
}
_ELSEWHERE = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "IncorrectEndpoint",
        "PermanentRedirect",
        "TemporaryRedirect",
    }
)
_REGION = re.compile(r"[A-Za-z0-9-]{1,63}")
_CODE = re.compile(r"[A-Za-z0-9.]{1,64}")


class Refused(Exception):
    """The store answered with an error; `code` and `region` are empty where it named none that may be repeated."""

    def __init__(self, code: str, status: int, region: str, retry_after_s: float | None) -> None:
        super().__init__(f"{code} {status}")
        self.code = code
        self.status = status
        self.region = region
        self.retry_after_s = retry_after_s

    @classmethod
    def of(cls, response: Mapping[str, Any]) -> Self:
        """Read the library's dict of an error."""
        error, about = response.get("Error", {}), response.get("ResponseMetadata", {})
        headers = about.get("HTTPHeaders", {})
        return cls(
            _fitting(_CODE, error.get("Code")),
            int(about.get("HTTPStatusCode", 0)),
            _fitting(_REGION, error.get("Region")) or _fitting(_REGION, headers.get("x-amz-bucket-region")),
            retry_after_s(str(headers.get("retry-after", "")), str(headers.get("date", ""))),
        )

    @property
    def is_known(self) -> bool:
        """Tell whether it is the store's own word about the request, not a proxy's and not a breakdown."""
        return self.code in SENTENCES or self.is_elsewhere

    @property
    def is_elsewhere(self) -> bool:
        """Tell whether the bucket is in another region."""
        return self.code in _ELSEWHERE or 300 <= self.status < 400

    def explained(self) -> DestinationError:
        """Return it in words."""
        if self.is_elsewhere:
            return Rejected(self._elsewhere())
        other = _STATUSES.get(self.status, (self.status < 500, "the store refuses"))
        final, sentence = SENTENCES.get(self.code, other)
        named = "" if self.code in ("", str(self.status)) else f"{self.code}, "
        message = f"{sentence} ({named}HTTP {self.status})"
        return Rejected(message) if final else Unavailable(message, retry_after_s=self.retry_after_s)

    def _elsewhere(self) -> str:
        if self.region:
            return f"the bucket is in the region {self.region!r}; enter that region and its endpoint"
        return f"the store redirects or has another region (HTTP {self.status}); enter the final address"


def _fitting(pattern: re.Pattern[str], value: object) -> str:
    """Return a peer's word if it is harmless, else nothing."""
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
