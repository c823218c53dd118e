"""The gateway's own certificate authority (RFC 5280): made once, kept for ten years, vouching for this house only.

Whoever steals its key must not be able to pose as a bank to the phones that trust it. So the key is sealed by the
device key, and the certificate says itself what it may vouch for: names in .local, the administrator's own names,
private addresses, and those that the machine had when it was made.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_SPAN = timedelta(days=3653)  # ten years: longer than the phones that trust it
LEAF_SPAN = timedelta(days=90)
RENEWAL_SPAN = timedelta(days=30)  # a machine that is off for a month still comes up with a good certificate
SLOW_CLOCKS = timedelta(days=1)  # phones that are behind us
# No gateway is older. A machine without a clock makes its authority before it knows the date.
BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)

_HOUSE_NAMES = ("local", "localhost")
_HOUSE_NETWORKS = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
    *("fc00::/7", "fe80::/10", "::1/128"),
)
_ALL_USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


class TlsError(Exception):
    """The certificates cannot be used; `str()` names the file."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """Return the certificate as a phone takes it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the certificate as people compare it: "AB:CD:..."."""
        return _fingerprint(self.certificate)

    def key_pem(self, password: bytes | None) -> bytes:
        """Return the key in PKCS #8, sealed unless `password` is None."""
        box = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, box)

    def worn(self, now: datetime) -> bool:
        """Tell whether it is time for another one; also if the clock went back behind its beginning."""
        known = self.certificate
        return not known.not_valid_before_utc <= now < known.not_valid_after_utc - RENEWAL_SPAN


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex(":").upper()


def names_of(certificate: x509.Certificate) -> frozenset[x509.GeneralName]:
    """Return whom a certificate is for."""
    try:
        return frozenset(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return frozenset()


def general(names: Iterable[str]) -> frozenset[x509.GeneralName]:
    """Return host names and addresses as certificates have them."""
    return frozenset(_general(name) for name in names)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name.lower())


def make(names: Iterable[str], now: datetime) -> Pair:
    """Return a new authority for this house and these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"ScanSnap Gateway CA {os.urandom(4).hex()}")  # two gateways of one house are told apart
    ends = max(now, BEGINNING) + AUTHORITY_SPAN
    permitted = list(dict.fromkeys((*general(_HOUSE_NAMES), *_house(), *_single(general(names)))))
    made = (
        _builder(subject, subject, key, BEGINNING, ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .sign(key, SHA256())
    )
    return Pair(made, key)


def vouch(authority: Pair, names: frozenset[x509.GeneralName], now: datetime) -> Pair:
    """Return a server's certificate for these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    ca = authority.certificate
    ends = min(now + LEAF_SPAN, ca.not_valid_after_utc)
    ordered = sorted(names, key=lambda name: (isinstance(name, x509.IPAddress), str(name.value)))
    made = (
        _builder(_subject("ScanSnap Gateway"), ca.subject, key, now - SLOW_CLOCKS, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(ordered), critical=False)
        .add_extension(_issued_by(ca), critical=False)
        .sign(authority.key, SHA256())
    )
    return Pair(made, key)


def permits(authority: Pair, name: x509.GeneralName) -> bool:
    """Tell whether the authority may vouch for a name (RFC 5280, 4.2.1.10)."""
    limits = authority.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    return any(_within(name, base) for base in limits.permitted_subtrees or ())


def _within(name: x509.GeneralName, base: x509.GeneralName) -> bool:
    if isinstance(name, x509.IPAddress) and isinstance(base, x509.IPAddress):
        return isinstance(base.value, IPv4Network | IPv6Network) and name.value in base.value
    if isinstance(name, x509.DNSName) and isinstance(base, x509.DNSName):
        return name.value == base.value or name.value.endswith(f".{base.value}")
    return False


def _house() -> list[x509.GeneralName]:
    return [x509.IPAddress(ip_network(network)) for network in _HOUSE_NETWORKS]


def _single(names: Iterable[x509.GeneralName]) -> list[x509.GeneralName]:
    """Return names as constraints: an address becomes a network of its own."""
    return [x509.IPAddress(ip_network(str(n.value))) if isinstance(n, x509.IPAddress) else n for n in names]


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    named = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    dated = named.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
    return dated.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in uses for use in _ALL_USES})


def _issued_by(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def read(path: Path, password: bytes) -> Pair | None:
    """Return what `write` kept, None if there is no file; TlsError."""
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TlsError(f"{path}: {error.strerror}") from None
    if path.stat().st_mode & 0o077:
        raise TlsError(f"{path}: others may read it; move it away and a new one is made")
    try:
        key = serialization.load_pem_private_key(pem, password)
        certificate = x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError):
        raise TlsError(f"{path}: cannot be read with this gateway's device key; move it away") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TlsError(f"{path}: holds another kind of key than we make; move it away")
    return Pair(certificate, key)


def fingerprint_in(path: Path) -> str:
    """Return the fingerprint of the certificate that `write` kept in a file; TlsError, OSError."""
    try:
        return _fingerprint(x509.load_pem_x509_certificate(path.read_bytes()))
    except ValueError:
        raise TlsError(f"{path}: holds no certificate") from None


def write(path: Path, pair: Pair, password: bytes) -> None:
    """Keep a certificate and its sealed key in one file of mode 0600: both or none."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pair.key_pem(password) + pair.pem)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
