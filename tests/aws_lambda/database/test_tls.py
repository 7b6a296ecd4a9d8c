"""The TLS that the profiles require of a server on another machine."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from environ import Env

from apps.aws_lambda.database import configure, profiles
from tests.services import postgresql_programs
from tests.services.postgresql import PostgreSQL

NAME = "db.example.com"


class Authority:
    """Issues certificates for servers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.issue(name, self.key)

    def issue(self, name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
        """Return a certificate for this name and key, as PEM."""
        now = datetime.now(UTC)
        certificate = x509.CertificateBuilder(
            issuer_name=common_name(self.name),
            subject_name=common_name(name),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(minutes=5),
            not_valid_after=now + timedelta(days=1),
        )
        for extension in (
            x509.BasicConstraints(ca=name == self.name, path_length=None),
            x509.SubjectAlternativeName([x509.DNSName(name)]),
        ):
            certificate = certificate.add_extension(extension, critical=False)
        signed = certificate.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


def common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("authority")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[PostgreSQL]:
    """Run a server that proves to be db.example.com."""
    folder = postgresql_programs.open_folder()
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    user = postgresql_programs.server_user()
    for file, content in (("crt", authority.issue(NAME, key)), ("key", pem)):
        path = folder / file
        path.write_bytes(content)
        path.chmod(0o600)
        os.chown(path, user.get("user", -1), user.get("group", -1))
    with PostgreSQL(
        {
            "ssl": "on",
            "ssl_cert_file": str(folder / "crt"),
            "ssl_key_file": str(folder / "key"),
        }
    ) as running:
        yield running
    shutil.rmtree(folder)


def connect(server: PostgreSQL, host: str, query: str = "") -> Any:
    """Connect to 127.0.0.1 as Django would to this host."""
    url = Env.db_url_config(
        f"postgres://postgres:{server.password}@{host}:{server.port}/postgres{query}"
    )
    settings = configure(url, profile="direct")
    with psycopg.connect(
        host=settings["HOST"],
        hostaddr="127.0.0.1",
        port=settings["PORT"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        dbname=settings["NAME"],
        **settings["OPTIONS"],
    ) as connection:
        return connection.execute(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone()


@pytest.fixture
def trusted(authority: Authority, tmp_path: Path, monkeypatch) -> Path:
    """Make the authority one that the system trusts."""
    file = tmp_path / "authorities.pem"
    file.write_bytes(authority.certificate)
    monkeypatch.setattr(profiles, "ROOT_CERTIFICATE_FILES", (str(file),))
    return file


def test_a_server_with_a_verified_name_is_used_with_tls(server, trusted):
    assert connect(server, NAME) == (True,)


def test_a_certificate_for_another_name_is_rejected(server, trusted):
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        connect(server, "other.example.com")


def test_a_certificate_of_another_authority_is_rejected(server, trusted):
    trusted.write_bytes(Authority("impostor").certificate)

    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(server, NAME)


def test_the_url_can_name_the_authority(server, authority, tmp_path):
    file = tmp_path / "rds.pem"
    file.write_bytes(authority.certificate)

    assert connect(server, NAME, f"?sslrootcert={file}") == (True,)


def test_a_server_without_tls_is_rejected(trusted):
    with (
        PostgreSQL() as plain,
        pytest.raises(psycopg.OperationalError, match="does not support SSL"),
    ):
        connect(plain, NAME)
