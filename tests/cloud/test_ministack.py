"""MiniStack is reached from this machine alone, and leaves nothing behind."""

import io
import os
import ssl
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, build_opener

import pytest

from tests.services.ministack import ACCOUNT, REGION, MiniStack

LISTENING = "0A"


def processes(group: int) -> Iterator[Path]:
    """Yield the folders in /proc of the processes of a group that have not ended."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # "1234 (name) S ...": the parent of a process that has ended may be late.
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if os.getpgid(int(folder.name)) == group and state not in "XZ":
                yield folder


def addresses(group: int) -> set[str]:
    """Return the addresses on which a process of a group listens, as in /proc/net."""
    links = {
        os.readlink(descriptor)
        for folder in processes(group)
        for descriptor in (folder / "fd").iterdir()
        if descriptor.is_symlink()
    }
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    return {
        address.partition(":")[0]
        for _, address, _, state, *_, inode in ([*row[:4], row[9]] for row in rows)
        if state == LISTENING and f"socket:[{inode}]" in links
    }


def invoke(aws: MiniStack) -> None:
    """Create a function and run it."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("entry.py", "def handler(event, context): return 'here'")
    client = aws.client("lambda")
    client.create_function(
        FunctionName="here",
        Role=f"arn:aws:iam::{ACCOUNT}:role/here",
        Runtime="python3.13",
        Handler="entry.handler",
        Code={"ZipFile": package.getvalue()},
    )
    answer = client.invoke(FunctionName="here")
    assert answer["Payload"].read() == b'"here"'


def opener(aws: MiniStack) -> OpenerDirector:
    proxies = {"https": aws.host_names.url, "http": aws.host_names.url}
    return build_opener(ProxyHandler(proxies), HTTPSHandler(context=aws.tls()))


def test_it_and_its_functions_listen_on_this_machine_only_and_end_together():
    with MiniStack() as aws:
        folder = aws.folder
        invoke(aws)
        assert aws.process
        group = aws.process.pid
        running = [*processes(group)]

        # 127.0.0.1, in the order of the bytes of this processor.
        assert addresses(group) == {"0100007F"}

    assert len(running) > 1
    assert [*processes(group)] == []
    assert not folder.exists()


def test_every_host_name_leads_to_it_and_to_nothing_else():
    with MiniStack() as aws:
        client = opener(aws)
        with pytest.raises(HTTPError) as unknown:
            client.open(f"https://00000000.execute-api.{REGION}.amazonaws.com/")
        with pytest.raises(URLError) as foreign:
            client.open("https://example.com/")
        with pytest.raises(HTTPError) as plain:
            client.open("http://example.com/")

        for error in (unknown, plain):
            error.value.close()

    assert (unknown.value.code, plain.value.code) == (404, 405)
    # Its certificate has no other names.
    assert isinstance(foreign.value.reason, ssl.SSLCertVerificationError)
