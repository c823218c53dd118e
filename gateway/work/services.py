"""Everything that the face may ask the rooms for, in one frozen bundle."""

from dataclasses import dataclass

from gateway.clock import Clock
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.work.account import AccountDesk
from gateway.work.admin import Admin
from gateway.work.catalogue import Catalogue
from gateway.work.channels import Channels
from gateway.work.claim import Claims
from gateway.work.devices import Devices
from gateway.work.dispatch import Dispatch
from gateway.work.enroll import Enroll
from gateway.work.founding import Founding
from gateway.work.health import Health
from gateway.work.hub import Hub
from gateway.work.intake import Intake
from gateway.work.ledger import Ledger
from gateway.work.notices import Notices
from gateway.work.outbox import Outbox
from gateway.work.reading import Reading
from gateway.work.recovery import Recovery
from gateway.work.repeats import Repeats
from gateway.work.room import Room
from gateway.work.routing import Routing
from gateway.work.sessions import Sessions
from gateway.work.sights import Sights
from gateway.work.signin import SignIn
from gateway.work.throttle import Calls
from gateway.work.units import Units
from gateway.work.watch import Watch


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms, wired."""

    clock: Clock
    settings: Settings
    store: Store
    calls: Calls
    sessions: Sessions
    devices: Devices
    founding: Founding
    signin: SignIn
    enroll: Enroll
    recovery: Recovery
    account: AccountDesk
    admin: Admin
    claims: Claims
    sights: Sights
    watch: Watch
    units: Units
    intake: Intake
    room: Room
    outbox: Outbox
    dispatch: Dispatch
    catalogue: Catalogue
    routing: Routing
    ledger: Ledger
    notices: Notices
    channels: Channels
    reading: Reading
    repeats: Repeats
    health: Health
    hub: Hub
