"""Certificates of the platform's own, so that only its processes can talk to the cluster.

Dask's wire carries pickles: whoever may write to it may run anything.
"""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra.state import write_whole

CLOCK_DAYS = 30  # so far back a clock that was set wrong may stand
VALID_DAYS = 3650


def ensure_certificates(folder: Path, host: str) -> None:
    """Make the authority, and one certificate of it for scheduler, workers and clients, once.

    Parameters
    ----------
    folder : Path
        Gets ``ca.pem``, ``cert.pem`` and ``key.pem``, readable by us alone. The authority's key is
        not kept: nobody can make a second certificate.
    host : str
        The address that the scheduler listens on.
    """
    if all((folder / name).exists() for name in ("ca.pem", "cert.pem", "key.pem")):
        return
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _authority(ca_key)
    certificate = _certificate(key, ca_key, host)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem = serialization.Encoding.PEM
    # The certificate comes last: with it the three are complete.
    for name, content in (
        ("key.pem", private),
        ("ca.pem", ca.public_bytes(pem)),
        ("cert.pem", certificate.public_bytes(pem)),
    ):
        write_whole(folder / name, content.decode(), mode=0o600)


def _builder(name: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=CLOCK_DAYS))
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
    )


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return (
        _builder("dayseye-ca", "dayseye-ca", key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(_key_usage(authority=True), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    ca_key: ec.EllipticCurvePrivateKey,
    host: str,
) -> x509.Certificate:
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _builder("dayseye", "dayseye-ca", key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(_key_usage(authority=False), True)
        .add_extension(x509.ExtendedKeyUsage(both), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False
        )
        .add_extension(x509.SubjectAlternativeName([_host_name(host)]), False)
        .sign(ca_key, hashes.SHA256())
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    """Say what a key is for; from Python 3.13 on, certificates are checked as RFC 5280 wants."""
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def private(path: Path) -> bool:
    """Tell whether a file is readable by its owner alone."""
    return path.stat().st_mode & 0o077 == 0
