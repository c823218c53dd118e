"""Settings: defaults, overrides, and a clear sentence for everything that cannot be used."""

from pathlib import Path

import pytest

from gateway.settings import Settings, SettingsError, Web, check, load

ROOT = Path(__file__).parents[2]


def test_without_a_file_the_defaults_hold() -> None:
    assert load(None, {}) == Settings()


def test_the_example_file_is_the_defaults() -> None:
    assert load(ROOT / "systemd" / "gateway.toml.example", {}) == Settings()


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[web]\nport = 9000\n[destinations]\nroots = ["/srv/a"]\n')
    settings = load(file, {"SCANSNAP_WEB_PORT": "9001", "SCANSNAP_DESTINATIONS_ALLOW": "nas.local:443,10.0.0.0/8"})
    assert settings.web.port == 9001
    assert settings.destinations.roots == (Path("/srv/a"),)
    assert settings.destinations.allow == ("nas.local:443", "10.0.0.0/8")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[web]\nport = 'x'", "web.port"),
        ("[web]\nprot = 1", "web.prot"),
        ("[wep]\nport = 1", "wep"),
        ("port = 1", "port"),
        ("[web]\nport = 70000", "web.port"),
        ("[web]\nport = true", "web.port"),
        ("[web]\naddress = '0.0.0.0'\ntls = 'off'", "loopback"),
        ("[web]\ntls = 'on'", "web.tls"),
        ("[web]\ntls = 'given'", "web.certificate"),
        ("[web]\nkey = '/k.pem'", "web.certificate"),
        ("[web]\nplain_port = 80", "web.plain_port"),
        ("[web]\ntls = 'own'\nplain_port = 8710", "web.plain_port"),
        ("[web]\nsocket = 'web.sock'", "web.socket"),
        ("[web]\nsocket = '/run/web.sock'\ntls = 'own'", "web.socket"),
        ("[web]\nhosts = ['a b']", "web.hosts"),
        ("[web]\nproxies = ['10.0.0.1/8']", "web.proxies"),
        ("[web]\naddress = 'here'", "web.address"),
        ("[registration]\npolicy = 'all'", "registration.policy"),
        ("[registration]\npolicy = 'serials'\nserials = ['AK7CC00700']", "registration.serials"),
        ("[network]\naddresses = ['a b']", "network.addresses"),
        ("[network]\naddresses = ['192.168.1.30:99999']", "network.addresses"),
        ("[network]\naddresses = ['ftp://192.168.1.30/']", "network.addresses"),
        ("[network]\nbroadcast = ['everywhere']", "network.broadcast"),
        ("[network]\nname = 'a.b'", "network.name"),
        ("[network]\nfind = 'maybe'", "network.find"),
        ("[registration]\npolicy = 'usb'", "usb_owner"),
        ("[destinations]\nroots = ['relative']", "destinations.roots"),
        ("[destinations]\nroots = [1]", "destinations.roots"),
        ("[web", "TOML"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=named):
        load(file, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml"):
        load(tmp_path / "gone.toml", {})


@pytest.mark.parametrize(
    ("web", "secured"),
    [
        (Web(), "off"),
        (Web(address="::1"), "off"),
        (Web(address="0.0.0.0"), "own"),
        (Web(address="192.168.1.2"), "own"),
        (Web(address="0.0.0.0", socket="/run/web.sock"), "off"),
        (Web(tls="own"), "own"),
    ],
)
def test_whoever_can_be_reached_from_elsewhere_speaks_tls(web: Web, secured: str) -> None:
    assert check(Settings(web=web)).web.secured == secured
