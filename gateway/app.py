"""The wiring root: builds every object once, in the order of the walk, and runs them as one group of named tasks."""

import asyncio
import contextlib
import fcntl
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from zeroconf import InterfaceChoice
from zeroconf.asyncio import AsyncZeroconf

from drivers.escl.finder import EsclFinder
from drivers.port import Finder, Sighting
from drivers.snmp.finder import SnmpFinder
from drivers.usb.finder import UsbFinder
from drivers.vens.air import Ports as VensPorts
from drivers.vens.finder import VensFinder
from gateway.clock import Clock, Hardware, SystemClock, SystemHardware
from gateway.core import session
from gateway.core.account import fold_email
from gateway.core.model import Unit
from gateway.destinations.kinds import Surroundings
from gateway.destinations.net import Guard
from gateway.documents.worker import Worker
from gateway.settings import Network, Registration, Settings
from gateway.store.spool import Spool
from gateway.store.store import Store, open_store
from gateway.vault.device import DeviceKey
from gateway.vault.keyring import Keyring
from gateway.vault.runtime import RuntimeSlots
from gateway.web import announce, control, server, tls
from gateway.web.announce import Announced
from gateway.web.server import Listening
from gateway.web.tls import Tls
from gateway.work.account import AccountDesk
from gateway.work.admin import Admin
from gateway.work.catalogue import Catalogue
from gateway.work.channels import Channels
from gateway.work.claim import Claims
from gateway.work.codes import Codes
from gateway.work.credentials import Credentials
from gateway.work.devices import Devices
from gateway.work.dispatch import Dispatch
from gateway.work.enroll import Enroll
from gateway.work.founding import Founding
from gateway.work.gatekeeper import Gatekeeper
from gateway.work.health import Health
from gateway.work.hub import Hub
from gateway.work.intake import Intake
from gateway.work.janitor import Janitor
from gateway.work.lasting import lasting
from gateway.work.ledger import Ledger
from gateway.work.notices import Notices
from gateway.work.outbox import Outbox
from gateway.work.passwords import Stretcher
from gateway.work.ports import Ports
from gateway.work.reading import Reading
from gateway.work.recovery import Recovery
from gateway.work.render import Renderer
from gateway.work.repeats import Repeats
from gateway.work.room import Room
from gateway.work.routing import Routing
from gateway.work.services import Services
from gateway.work.sessions import Sessions
from gateway.work.setup import SetupToken
from gateway.work.sights import Sights
from gateway.work.signin import SignIn
from gateway.work.throttle import Calls, Throttle
from gateway.work.timekeeper import Timekeeper
from gateway.work.units import Units
from gateway.work.watch import Watch

VENS_TOKEN_BYTES = 6  # protocols/scansnap-wifi-vens.md 2.2: as long as a MAC address

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    """The daemon, wired; `run()` until cancelled."""

    settings: Settings
    services: Services
    janitor: Janitor
    setup: SetupToken
    zeroconf: AsyncZeroconf | None
    tls: Tls | None

    async def run(self, *, ready: Callable[[str], None] = lambda url: None) -> None:
        """Sweep, listen, then watch and deliver until cancelled; `ready` gets the URL of the pages."""
        await self.janitor.start()
        if await self.services.founding.setup_required():
            self.setup.renew()
            log.warning("no account yet: the set-up token is in %s", self.setup.path)
        rounds = {
            "watch": self.services.watch.run,
            "dispatch": self.services.dispatch.run,
            "janitor": self.janitor.run,
            "notices": self.services.notices.run,
            "channels": self.services.channels.run,
        }
        if self.tls is not None:
            rounds["certificate"] = self.tls.run
            if self.tls.authority is not None:
                log.info("phones are to trust SHA-256 %s (scansnap-gateway trust)", self.tls.authority.fingerprint)
        async with (
            server.listening(self.services, self.tls) as listening,
            control.open_door(self.services.admin, self.settings.paths.runtime),
            asyncio.TaskGroup() as group,
        ):
            for name, run in rounds.items():
                group.create_task(lasting(name, run), name=name)
            if self.zeroconf is not None:
                announcing = partial(self._announce, self.zeroconf, listening)
                group.create_task(lasting("announcement", announcing), name="announcement")
            ready(listening.url)

    async def _announce(self, zeroconf: AsyncZeroconf, listening: Listening) -> None:
        """Tell the network where the page is, if others reach it at all."""
        web = self.settings.web
        await announce.keep_announced(
            zeroconf,
            name=announce.instance_name(socket.gethostname()),
            host=self.settings.network.name,
            port=listening.port,
            tls=self.tls is not None,
            addresses=announce.reachable(web.address) if listening.port else (),
            tell=self._known_as,
        )

    def _known_as(self, told: Announced) -> None:
        """Have the certificate name us as the network does: another gateway may have had our name."""
        if self.tls is not None:
            self.tls.know(urlsplit(told.url).hostname or "")


@asynccontextmanager
async def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    hardware: Hardware | None = None,
    usb_backend: object | None = None,
    vens_ports: tuple[int, int] | None = None,
    finders: Sequence[Finder] | None = None,
) -> AsyncIterator[App]:
    """Build the daemon from its settings; demonstration and tests pass other collaborators to the same function.

    `vens_ports`: where simulated units listen and advertise; `finders`: these doors, and no others.
    """
    clock = clock or SystemClock()
    _private_folder(settings.paths.state)
    _runtime_folder(settings.paths.runtime)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    device = DeviceKey.load(settings.paths.state, Path(credentials) if credentials else None)
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone(settings.paths.state))
        store = await open_store(settings.paths.state / "gateway.sqlite3")
        stack.push_async_callback(store.close)
        zeroconf = await _mdns(settings.network) if settings.network.find and finders is None else None
        if zeroconf is not None:
            stack.push_async_callback(zeroconf.async_close)
        if finders is None:
            finders = _doors(settings, clock, device, usb_backend, VensPorts(*vens_ports or ()), zeroconf)
        yield _wire(settings, clock, device, store, finders, zeroconf, hardware or SystemHardware())


async def _mdns(network: Network) -> AsyncZeroconf | None:
    """Speak mDNS; without it scanners are found by broadcast and at their addresses only."""
    interfaces = list(network.mdns) or InterfaceChoice.All
    try:
        return AsyncZeroconf(interfaces=interfaces)
    except OSError as error:
        log.warning("no mDNS on this machine: %s", error.strerror or error)
        return None


def _doors(
    settings: Settings,
    clock: Clock,
    device: DeviceKey,
    usb_backend: object | None,
    vens_ports: VensPorts,
    zeroconf: AsyncZeroconf | None,
) -> tuple[Finder, ...]:
    """Return the doors: USB, and on the network ScanSnap Wi-Fi, eSCL and, for names only, SNMP."""

    def now() -> datetime:
        return clock.now().utc

    usb = UsbFinder(usb_backend, now, also=frozenset(_usb_ids(pair) for pair in settings.usb.also))
    network = settings.network
    if not network.find:
        return (usb,)
    hosts = tuple(address for address in network.addresses if ":" not in address)
    token = device.derive("vens token")[:VENS_TOKEN_BYTES]
    return (
        usb,
        VensFinder(token=token, now=now, broadcast=network.broadcast, hosts=hosts, ports=vens_ports),
        EsclFinder(now=now, zeroconf=zeroconf, hosts=network.addresses),
        SnmpFinder(now=now, hosts=hosts if network.snmp_community else (), community=network.snmp_community),
    )


def _usb_ids(pair: str) -> tuple[int, int]:
    vendor, product = pair.split(":")
    return int(vendor, 16), int(product, 16)


def _wire(
    settings: Settings,
    clock: Clock,
    device: DeviceKey,
    store: Store,
    finders: Sequence[Finder],
    zeroconf: AsyncZeroconf | None,
    hardware: Hardware,
) -> App:
    spool = Spool(settings.paths.state / "spool")
    keyring = Keyring()
    hub = Hub()
    timekeeper = Timekeeper(clock=clock, store=store, hardware=hardware)
    throttle = Throttle(clock=clock, store=store, device=device)
    devices = Devices(clock=clock, store=store, device=device)
    stretcher = Stretcher()
    credentials = Credentials(
        clock=clock, store=store, device=device, stretcher=stretcher, throttle=throttle, devices=devices
    )
    slots = RuntimeSlots(settings.paths.runtime, device)
    sessions = Sessions(clock=clock, store=store, keyring=keyring, slots=slots, hub=hub)
    codes = Codes(clock=clock, store=store, device=device, throttle=throttle, timekeeper=timekeeper)
    windows_h = session.windows_h(settings.signin.window_h)
    signin = SignIn(
        clock=clock,
        store=store,
        stretcher=stretcher,
        throttle=throttle,
        devices=devices,
        credentials=credentials,
        codes=codes,
        sessions=sessions,
        windows_h=windows_h,
    )
    setup = SetupToken(settings.paths.state)
    founding = Founding(clock=clock, store=store, credentials=credentials, signin=signin, setup=setup)
    recovery = Recovery(
        clock=clock,
        store=store,
        throttle=throttle,
        credentials=credentials,
        sessions=sessions,
        signin=signin,
    )
    enroll = Enroll(
        clock=clock,
        store=store,
        codes=codes,
        credentials=credentials,
        devices=devices,
        sessions=sessions,
        timekeeper=timekeeper,
        windows_h=windows_h,
    )
    desk = AccountDesk(clock=clock, store=store, credentials=credentials, sessions=sessions)
    claims = Claims(clock=clock, store=store, device=device, hub=hub)

    async def register(sighting: Sighting) -> Unit | None:
        email = _owner(settings.registration, sighting)
        owner = await store.accounts.by_email(fold_email(email)) if email else None
        return await claims.give(owner.id, sighting, how=settings.registration.policy) if owner else None

    room = Room(store=store, spool=spool, settings=settings.history)
    intake = Intake(clock=clock, store=store, spool=spool, room=room, device=device, hub=hub)
    sights = Sights(clock=clock, store=store)
    watch = Watch(
        clock=clock,
        finders=finders,
        store=store,
        device=device,
        sights=sights,
        claims=claims,
        hub=hub,
        scan=intake.scan,
        register=register if settings.registration.policy != "press" else None,
    )
    units = Units(clock=clock, store=store, watch=watch, sights=sights, claims=claims, hub=hub)
    gatekeeper = Gatekeeper(clock=clock, store=store, keyring=keyring)
    guard = Guard(
        allow=settings.destinations.allow,
        own_ports=settings.web.ports,
    )
    sinks = settings.destinations
    around = Surroundings(guard, sinks.roots, sinks.remotes, sinks.rclone_config)
    ports = Ports(store=store, device=device, around=around)
    routing = Routing(clock=clock, store=store, hub=hub)
    renderer = Renderer(store=store, spool=spool, device=device, keyring=keyring, worker=Worker())
    outbox = Outbox(
        clock=clock,
        store=store,
        renderer=renderer,
        gatekeeper=gatekeeper,
        ports=ports,
        hub=hub,
    )
    dispatch = Dispatch(clock=clock, store=store, routing=routing, outbox=outbox, hub=hub)
    janitor = Janitor(
        clock=clock,
        store=store,
        spool=spool,
        device=device,
        sessions=sessions,
        enroll=enroll,
        timekeeper=timekeeper,
        units=units,
        history=settings.history,
        hub=hub,
    )
    admin = Admin(clock=clock, store=store, sessions=sessions, units=units, timekeeper=timekeeper, setup=setup)
    catalogue = Catalogue(
        clock=clock,
        store=store,
        ports=ports,
        gatekeeper=gatekeeper,
        routing=routing,
        hub=hub,
    )
    notices = Notices(clock=clock, store=store, gatekeeper=gatekeeper, sights=sights, room=room, hub=hub)
    channels = Channels(clock=clock, store=store, device=device, around=around, page=settings.web.page)
    ledger = Ledger(clock=clock, store=store, hub=hub)
    reading = Reading(
        clock=clock, store=store, spool=spool, keyring=keyring, renderer=renderer, worker=Worker(), hub=hub
    )
    services = Services(
        clock=clock,
        settings=settings,
        store=store,
        calls=Calls(clock=clock, per_minute=settings.signin.calls_per_minute, per_hour=settings.signin.calls_per_hour),
        sessions=sessions,
        devices=devices,
        founding=founding,
        signin=signin,
        enroll=enroll,
        recovery=recovery,
        account=desk,
        admin=admin,
        claims=claims,
        sights=sights,
        watch=watch,
        units=units,
        intake=intake,
        room=room,
        outbox=outbox,
        dispatch=dispatch,
        catalogue=catalogue,
        routing=routing,
        ledger=ledger,
        notices=notices,
        channels=channels,
        reading=reading,
        repeats=Repeats(clock=clock, store=store, device=device),
        health=Health(clock=clock, store=store, room=room, sights=sights),
        hub=hub,
    )
    return App(
        settings=settings,
        services=services,
        janitor=janitor,
        setup=setup,
        zeroconf=zeroconf,
        tls=tls.build(settings, device.derive("tls keys").hex().encode(), clock),
    )


def _owner(policy: Registration, sighting: Sighting) -> str:
    """Return the e-mail address of whom the policy gives a unit in sight; "" for nobody."""
    if sighting.driven:
        return ""
    if policy.policy == "usb":
        return policy.usb_owner if sighting.via == "usb" else ""
    return policy.owner_of(sighting.serial) if policy.policy == "serials" else ""


class AlreadyRunning(Exception):
    """Another daemon works on the same state folder."""


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Keep every other daemon off the state folder: its start would sweep away what this one is writing."""
    with (state / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(f"another daemon is running on {state}") from None
        yield


def _runtime_folder(path: Path) -> None:
    """Make the runtime folder if we may; without it a restart of the service asks everybody to sign in again."""
    try:
        _private_folder(path)
    except OSError as error:
        log.warning("%s cannot be used: %s", path, error.strerror or error)


def _private_folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):
        path.chmod(0o700)
