# SPDX-License-Identifier: Apache-2.0
"""A certificate authority of our own, made new for each test session."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    chain_path: Path
    key_path: Path
    serial: int


def write_private_key(key, path):
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                       serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))
    path.chmod(0o600)


def certificate_builder(subject, issuer, key):
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2)))


def _subject_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class Authority:
    name = "Testbed Authority"

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = (certificate_builder(self.name, self.name, self._key)
                       .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                       .sign(self._key, hashes.SHA256()))
        self.certificate_path = self.directory / "authority.pem"
        self.certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name, hosts):
        """A server certificate for DNS names and IP addresses, in `name`.pem and `name`.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            certificate_builder(hosts[0], self.name, key)
            .add_extension(x509.SubjectAlternativeName([*map(_subject_name, hosts)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256()))
        chain, key_path = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_private_key(key, key_path)
        return Certificate(chain, key_path, certificate.serial_number)
