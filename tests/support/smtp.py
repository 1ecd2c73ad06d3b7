"""A real SMTP server on loopback that keeps what it takes, and misbehaves when told to."""

import asyncio
import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TOKEN = re.compile(r"^aurm_[\w-]{43}$", re.MULTILINE)


@dataclass
class Inbox:
    """What arrived. ``refuse``: answers to the next mails, instead of taking them."""

    port: int = 0
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)
    hangs: bool = False

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to an address, the oldest first."""
        return [mail for to, mail in self.mails if to == address]

    def tokens(self, address: str) -> list[str]:
        """The tokens in the mails to an address, the oldest first."""
        return [token for mail in self.to(address) for token in TOKEN.findall(mail.get_content().replace("\r", ""))]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.hangs:
            await asyncio.Event().wait()
        if self.refuse:
            return self.refuse.pop(0)
        assert isinstance(envelope.content, bytes)
        made: Any = email.message_from_bytes(envelope.content, policy=email.policy.SMTP)
        self.mails += [(to, made) for to in envelope.rcpt_tos]
        return "250 OK"

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode(), session.ssl is not None))
        return AuthResult(success=data.password == b"p@ss")


@asynccontextmanager
async def smtp_server(*, tls: ssl.SSLContext | None = None, implicit: bool = False) -> AsyncIterator[Inbox]:
    """The server. ``tls``: offers STARTTLS, or begins with TLS when ``implicit``."""
    inbox = Inbox()

    def make() -> SMTP:
        return SMTP(
            inbox,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            tls_context=None if implicit else tls,
            authenticator=inbox.login,
            auth_require_tls=tls is not None and not implicit,
        )

    context = tls if implicit else None
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=context)
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        server.close()


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS for a server at 127.0.0.1, and for clients that trust it and nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))
