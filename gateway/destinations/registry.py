"""The kinds of destination there are: a new one is a new file and a line here."""

from gateway.destinations import folder, mail, paperless, rclone, s3, sftp, webdav, webhook
from gateway.destinations.kinds import Kind, Surroundings, Values, values_of
from gateway.destinations.port import Port, Rejected

KINDS: dict[str, Kind] = {
    "folder": folder.KIND,
    "paperless-ngx": paperless.KIND,
    "webdav": webdav.KIND,
    "sftp": sftp.KIND,
    "s3": s3.KIND,
    "rclone": rclone.KIND,
    "mail": mail.KIND,
    "webhook": webhook.KIND,
}


def build(kind: str, config: Values, secrets: Values, around: Surroundings) -> Port:
    """Make a destination from its saved values; Rejected names the field that does not fit. No I/O."""
    row = _kind(kind)
    return row.make(values_of(row, config, secrets), around)


async def check(kind: str, config: Values, secrets: Values, around: Surroundings) -> None:
    """Check values before they are saved, the address included; Rejected, or Unavailable for an unknown name."""
    row = _kind(kind)
    values = values_of(row, config, secrets)
    row.make(values, around)
    await row.check(values, around)


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise Rejected(f"kind: {kind!r} is no kind of destination; there are: {', '.join(KINDS)}")
    return KINDS[kind]
