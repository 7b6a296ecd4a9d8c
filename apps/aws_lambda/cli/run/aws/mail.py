"""The e-mail of the site: kept in a folder, and shown on a page."""

import email
import email.policy
import html
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import SESBackend, ses_backends

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
  body {{ font: 1rem/1.5 system-ui; max-width: 60rem; margin: 2rem auto }}
  td, th {{ padding: 0 1rem 0 0; text-align: left; vertical-align: top }}
  pre {{ white-space: pre-wrap }} iframe {{ width: 100%; height: 30rem }}
</style>
<h1>{title}</h1>
{body}
</html>
"""
# Django's backend for files writes this line after each message.
END = b"\n" + b"-" * 79 + b"\n"
HEADERS = ("From", "To", "Cc", "Bcc", "Reply-To", "Date", "Subject")


class Mail:
    """
    The messages in ``folder``: of Django's backend for files, and those sent by SES.

    A file that Django writes has all messages of one connection.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        # The local SES sends for every sender: no domain has to be verified.
        SESBackend._is_verified_address = lambda self, source: True  # type: ignore[method-assign]

    def save(self) -> None:
        """Write what was sent by SES since the last call."""
        for backend in ses_backends[DEFAULT_ACCOUNT_ID].values():
            for sent in backend.sent_messages:
                if sent.id not in self.kept:
                    self.kept.add(sent.id)
                    stamp = time.strftime("%Y%m%d-%H%M%S")
                    path = self.folder / f"{stamp}-{sent.id[-12:]}.eml"
                    path.write_bytes(as_bytes(sent))

    def messages(self) -> list[tuple[str, EmailMessage]]:
        """Return all messages with the names of their pages, the newest first."""
        paths = [path for path in self.folder.iterdir() if path.suffix in SUFFIXES]
        paths.sort(key=lambda path: (path.stat().st_mtime, path.name), reverse=True)
        return [
            (f"{path.name}/{number}", read(content))
            for path in paths
            for number, content in reversed([*enumerate(split(path))])
        ]

    def page(self, path: str) -> str | None:
        """Return the page of all messages, or that of one, or None."""
        messages = self.messages()
        if not path:
            return listing(messages)
        found = dict(messages).get(unquote(path))
        return single(found) if found else None


SUFFIXES = (".eml", ".log")


def split(path: Path) -> list[bytes]:
    content = path.read_bytes()
    if path.suffix == ".eml":
        return [content]
    return [part for part in content.split(END) if part.strip()]


def read(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def as_bytes(sent: Any) -> bytes:
    """Return a message of moto's SES, which keeps raw ones as they were sent."""
    if hasattr(sent, "raw_data"):
        return str(sent.raw_data).encode()
    message = EmailMessage()
    message["From"] = sent.source
    message["Subject"] = getattr(sent, "subject", "(a template of SES)")
    for name in ("To", "Cc", "Bcc"):
        if addresses := sent.destinations.get(f"{name}Addresses"):
            message[name] = ", ".join(addresses)
    message.set_content(str(getattr(sent, "body", "")))
    return message.as_bytes()


def listing(messages: list[tuple[str, EmailMessage]]) -> str:
    rows = "".join(
        f'<tr><td><a href="{quote(name)}">{text(message, "Subject") or "-"}</a>'
        f"<td>{text(message, 'To')}<td>{text(message, 'Date')}"
        for name, message in messages
    )
    table = f"<table><tr><th>Subject<th>To<th>Date{rows}</table>"
    return PAGE.format(
        title="E-mail of the local site",
        body=table
        if rows
        else "<p>The site has sent none yet. Nothing leaves "
        "this machine: reload the page to see what it sends.",
    )


def single(message: EmailMessage) -> str:
    rows = "".join(
        f"<tr><th>{name}<td>{text(message, name)}" for name in HEADERS if message[name]
    )
    parts = [f"<table>{rows}</table>"]
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    if plain:
        parts.append(f"<pre>{html.escape(str(plain.get_content()))}</pre>")
    if rich:
        # Without scripts, forms and the rights of this page.
        source = html.escape(str(rich.get_content()))
        parts.append(f'<iframe sandbox srcdoc="{source}"></iframe>')
    names = [str(part.get_filename()) for part in message.iter_attachments()]
    if names:
        parts.append(f"<p>Attachments: {html.escape(', '.join(names))}")
    return PAGE.format(title=text(message, "Subject") or "-", body="\n".join(parts))


def text(message: EmailMessage, header: str) -> str:
    return html.escape(str(message[header] or ""))
