"""Find a Chromium for the tests: on the machine, in an npm package, or with apt-get."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.services import install

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
LOCK = Path(__file__).parent / "chromium" / "package-lock.json"
ADVICE = f"""\
The tests need Chromium. None that runs is on PATH ({", ".join(NAMES)})
or in /Applications. Install it (Debian: apt-get install chromium; macOS: brew install
--cask chromium), or Node.js with npm, which installs the one in
{LOCK.relative_to(install.PROJECT)}."""

ARGS = [
    "--disable-background-networking",
    "--disable-component-update",
    # Containers often have a /dev/shm of 64 MB.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]

RENDER_SECONDS = 60

# Everything is unpacked into TMPDIR. The libraries of Amazon Linux 2023 are unpacked
# by executablePath() only on Lambda.
UNPACK = """
import chromium, { inflate } from "@sparticuz/chromium";
import { fileURLToPath } from "node:url";
await chromium.executablePath();
const entry = import.meta.resolve("@sparticuz/chromium");
await inflate(fileURLToPath(new URL("../bin/al2023.tar.br", entry)));
"""

# The configuration in the package has only the fonts in /tmp, not the system's.
FONTS = """\
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""


@dataclass(frozen=True)
class Chromium:
    """What `playwright.chromium.launch` needs: executable_path, args and env."""

    executable: Path
    args: list[str]
    env: dict[str, str]


def find() -> Chromium:
    """Return a Chromium that has rendered a page; raise Unavailable without one."""
    return install.first((_on_machine, _from_package, _from_apt), ADVICE)


def _on_machine() -> Chromium | None:
    for program in filter(None, map(shutil.which, (*NAMES, *PLACES))):
        try:
            return _checked(_chromium(Path(program)))
        except install.Unavailable as reason:
            install.say(str(reason))
    return None


def _from_package() -> Chromium | None:
    # The package is built for Lambda on x86_64 only.
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return None
    folder = install.once("chromium", LOCK, _install_package)
    chromium = _chromium(folder / "chromium")
    chromium.env["FONTCONFIG_FILE"] = str(folder / "fonts" / "fonts.conf")
    try:
        return _checked(chromium)
    except install.Unavailable:
        # The package has the libraries that Lambda and small machines lack: NSS.
        libraries = str(folder / "al2023" / "lib")
        env = {**chromium.env, "LD_LIBRARY_PATH": libraries}
        return _checked(replace(chromium, env=env))


def _install_package(folder: Path) -> None:
    install.say("Installing Chromium from the npm package @sparticuz/chromium.")
    with tempfile.TemporaryDirectory() as scratch:
        for file in (LOCK, LOCK.with_name("package.json")):
            shutil.copy(file, scratch)
        options = ["--ignore-scripts", "--no-audit", "--no-fund"]
        install.run(["npm", "ci", *options], cwd=scratch)
        install.run(
            ["node", "--input-type=module", "--eval", UNPACK],
            cwd=scratch,
            env={**os.environ, "TMPDIR": str(folder)},
        )
    (folder / "fonts" / "fonts.conf").write_text(FONTS)


def _from_apt() -> Chromium | None:
    return _on_machine() if install.from_apt("chromium") else None


def _chromium(executable: Path) -> Chromium:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return Chromium(executable, [*ARGS, *sandbox], dict(os.environ))


def _checked(chromium: Chromium) -> Chromium:
    program = str(chromium.executable)
    install.run([program, "--version"], env=chromium.env, timeout=60)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # Playwright leaves the sandbox out, for root and for others.
        options = ["--headless", "--no-sandbox", f"--user-data-dir={profile}"]
        page = "data:text/html,<script>document.title = 6 * 7</script>"
        browser = subprocess.Popen(
            [program, *chromium.args, *options, "--remote-debugging-port=0", page],
            env=chromium.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + RENDER_SECONDS
        try:
            while "42" not in _titles(Path(profile)):
                if browser.poll() is not None or time.monotonic() > deadline:
                    raise install.Unavailable(f"{program} does not render a page.")
                time.sleep(0.05)
        finally:
            browser.kill()
            browser.wait()
    return chromium


def _titles(profile: Path) -> list[str]:
    """Ask a browser's debugger for the titles of its pages; none before it listens."""
    try:
        port, _, _ = (profile / "DevToolsActivePort").read_text().partition("\n")
        connection = HTTPConnection("127.0.0.1", int(port), timeout=5)
        with closing(connection):
            connection.request("GET", "/json/list")
            return [page["title"] for page in json.load(connection.getresponse())]
    except (OSError, HTTPException, ValueError):
        return []
