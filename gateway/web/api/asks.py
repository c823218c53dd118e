"""What programs send. Unknown fields are refused. A code is taken as anything, so that its own check can speak."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

Code = Annotated[Any, Meta(description="Six digits, as a string", examples=["123456"])]
Hours = Annotated[int, Meta(description="Forwarding window in hours: 1, 12 or 24")]
DEFAULT_WINDOW_H = 12


class SetUp(Struct, forbid_unknown_fields=True):
    """The first account, with the one-time token from the console."""

    token: str
    email: str
    password: str


class PasswordSignIn(Struct, forbid_unknown_fields=True):
    """E-mail address and password."""

    email: str
    password: str


class CodeSignIn(Struct, forbid_unknown_fields=True):
    """The authentication code and how long forwarding shall stay open."""

    code: Code
    window_h: Hours = DEFAULT_WINDOW_H


class PaperSignIn(Struct, forbid_unknown_fields=True):
    """A sign-in code from paper, in the place of the authenticator."""

    code: str


class Rescue(Struct, forbid_unknown_fields=True):
    """The rescue key in the place of a forgotten password, and the new password."""

    email: str
    rescue_key: str
    password: str


class Reset(Struct, forbid_unknown_fields=True):
    """The administrator's reset ticket and the new password; with the rescue key earlier scans stay open."""

    ticket: str
    password: str
    rescue_key: str = ""


class Invitation(Struct, forbid_unknown_fields=True):
    """An invitation, the e-mail address that it is for, and a password."""

    ticket: str
    email: str
    password: str


class ChangePassword(Struct, forbid_unknown_fields=True):
    """The password, and the new one."""

    old: str
    new: str


class ChangeEmail(Struct, forbid_unknown_fields=True):
    """The new e-mail address."""

    email: str


class DeleteAccount(Struct, forbid_unknown_fields=True):
    """The account's own e-mail address, so that nobody deletes by mistake."""

    email: str


class RescueKey(Struct, forbid_unknown_fields=True):
    """The rescue key that was shown last, typed from paper."""

    rescue_key: str


class Regain(Struct, forbid_unknown_fields=True):
    """The rescue key of earlier scans, and the password."""

    rescue_key: str
    password: str


class StartTwoFactor(Struct, forbid_unknown_fields=True):
    """The password, again."""

    password: str


class DisableTwoFactor(Struct, forbid_unknown_fields=True):
    """Password, unused code, and the number of held scans that the owner has seen."""

    password: str
    code: Code
    held: int


class OpenClaim(Struct, forbid_unknown_fields=True):
    """The `id` of a unit that GET /found lists, and its password if that is not its default.

    `unit`: one of your units, if this is another way to it.
    """

    sighting: str
    password: str = ""
    unit: str = ""


class WayPassword(Struct, forbid_unknown_fields=True):
    """The password that a way to a unit asks for; "" for its default."""

    way: str
    password: str


class NamedWay(Struct, forbid_unknown_fields=True):
    """One way to a unit."""

    way: str


class TrustWay(Struct, forbid_unknown_fields=True):
    """A way that was suspended, and what it shows now."""

    way: str
    shown: str


class Rename(Struct, forbid_unknown_fields=True):
    """A unit's new name."""

    label: str


class ChangedDestination(Struct, forbid_unknown_fields=True):
    """A destination written anew; secrets that are left out stay only if nothing else but the name changes."""

    label: str
    config: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)


class NewDestination(Struct, forbid_unknown_fields=True):
    """A destination; which fields and secrets its kind has, the pages show.

    `everything`: the rule for every scan names it; otherwise only what a rule of yours sends goes there.
    """

    kind: str
    label: str
    config: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    everything: bool = True
