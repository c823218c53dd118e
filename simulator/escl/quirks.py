"""In what makers of eSCL scanners differ, as rows of one table. Data only."""

from dataclasses import dataclass
from enum import StrEnum


class Location(StrEnum):
    """What the answer to a new job names as the job's address."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"  # a path alone
    FOREIGN = "foreign"  # the address of a network that the client does not see
    BARE_IPV6 = "bare_ipv6"  # an IPv6 address without its brackets


@dataclass(frozen=True, slots=True)
class Quirks:
    """How this unit differs from the plainest one. Sources: escl-mdns-snmp, 3.1 to 3.5.

    `root`: the resource path; `end`: what says that there is no further page (404, 409 or 410); `full`: what a second
    job gets (503 or 409); `empty_at_post`: what a job for an empty feeder gets (409 or 503; 0: a job that ends at
    once); `retry_after_s`: said with each 503; `blocking`: holds a request for a page until there is one, instead of
    503; `chunked`: pages come without a length; `prefixes` of the two namespaces; `hatch`: the word for an open cover;
    `resolution_range`: resolutions as a range; `full_length`: a page from the feeder is as long as was asked, not as
    its sheet; `job_life_s`: after so long without a request a job is dropped.
    """

    root: str = "eSCL"
    location: Location = Location.ABSOLUTE
    end: int = 404
    full: int = 503
    empty_at_post: int = 0
    retry_after_s: int | None = None
    blocking: bool = False
    chunked: bool = False
    prefixes: tuple[str, str] = ("pwg", "scan")
    hatch: str = "ScannerAdfHatchOpen"
    resolution_range: bool = False
    full_length: bool = False
    job_life_s: float = 120.0  # the class of AirSane's purge
