"""Everything that the face may ask the rooms for, in one frozen bundle."""

from dataclasses import dataclass

from gateway.clock import Clock
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.work.catalogue import Catalogue
from gateway.work.claim import Claims
from gateway.work.enroll import Enroll
from gateway.work.hub import Hub
from gateway.work.intake import Intake
from gateway.work.outbox import Outbox
from gateway.work.sights import Sights
from gateway.work.signin import SignIn
from gateway.work.units import Units
from gateway.work.watch import Watch


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms, wired."""

    clock: Clock
    settings: Settings
    store: Store
    signin: SignIn
    enroll: Enroll
    claims: Claims
    sights: Sights
    watch: Watch
    units: Units
    intake: Intake
    outbox: Outbox
    catalogue: Catalogue
    hub: Hub
