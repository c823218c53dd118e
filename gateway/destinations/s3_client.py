"""How an S3 client is made and asked: everything is pinned, nothing comes from the environment or from ~/.aws.

Path-style addresses (https://endpoint/bucket/key): the host stays the one that the owner entered and that was judged,
and stores of one's own have no name and no certificate for bucket.endpoint.
"""

import asyncio
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from gateway.destinations.net import Guard
from gateway.destinations.port import Unavailable
from gateway.destinations.s3_errors import Refused
from gateway.destinations.s3_http import transport

# Besides its own errors: what the library lets through where an answer is not built as it expects.
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Account:
    """Where a bucket is and who asks."""

    endpoint: URL
    region: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)


class Client:
    """One conversation about one bucket: `async with Client(...) as client`."""

    def __init__(self, guard: Guard, account: Account) -> None:
        """Take whom to ask; no I/O."""
        self._guard = guard
        self._account = account
        self._library: Any = None

    async def __aenter__(self) -> Self:
        # In a thread: the first time costs 0.3 s on a fast machine, in which no scanner would be answered.
        session = await asyncio.to_thread(_session)
        account = self._account
        client = await session.create_client(
            "s3",
            region_name=account.region,
            endpoint_url=str(account.endpoint),
            verify=True,
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            config=_config(self._guard, account.endpoint),
        ).__aenter__()
        client.meta.events.register_last("before-parameter-build.s3", _stay)
        self._library = client
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._library.__aexit__(kind, error, trace)

    async def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Ask once and return the answer; Refused, Unavailable, and what the connection raises."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = await getattr(self._library, operation)(Bucket=self._account.bucket, **parameters)
        except aiohttp.ClientError:  # some of them are ValueErrors, too
            raise
        except ClientError as error:
            raise Refused.of(error.response) from None
        except (BotoCoreError, ResponseParserError, *_UNREADABLE) as error:
            raise Unavailable("the server does not answer like S3") from error
        return answer


def _stay(context: dict[str, Any], **_: Any) -> None:
    """Tell the library that it went to the bucket's own region already: else it would go there behind our back."""
    context.setdefault("s3_redirect", {})["redirected"] = True


@lru_cache(maxsize=1)
def _session() -> Any:
    """Return the library's session, which holds no account: what it read of S3's description is the same for all.

    Imported here and not above: it costs 0.1 s and 11 MB, its description of S3 another 0.2 s and 15 MB, and most
    gateways have no such destination.
    """
    from aiobotocore.session import AioSession
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConfigValueStore, ConstantProvider
    from botocore.loaders import Loader

    nowhere = {"config_file": None, "credentials_file": None}  # None: no file is opened
    fixed = {name: row[2] for name, row in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()} | nowhere
    session = AioSession()
    session.register_component("config_store", ConfigValueStore({k: ConstantProvider(v) for k, v in fixed.items()}))
    own = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)  # no ~/.aws/models
    session.register_component("data_loader", own)
    session.warm_up_loader_caches("s3")
    return session


def _config(guard: Guard, endpoint: URL) -> Any:
    from aiobotocore.config import AioConfig

    return AioConfig(
        http_session_cls=transport(guard, endpoint),
        proxies={},
        ignore_configured_endpoint_urls=True,
        user_agent="scansnap-gateway",
        signature_version="s3v4",
        # The hash of every body is signed, over https too: the one check of a part that every store makes.
        s3={"addressing_style": "path", "payload_signing_enabled": True},
        # The newer checksums come as trailers or headers that many stores refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # Once: the outbox tries again, and a repeated CompleteMultipartUpload hides what the first one did.
        retries={"mode": "standard", "total_max_attempts": 1},
    )
