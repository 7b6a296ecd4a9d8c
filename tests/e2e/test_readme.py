"""The commands of the README's tour, with both event sources."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.e2e.local_site import LocalSite
from tests.services import install


def commands() -> list[str]:
    """Return the commands of the tour, with continuation lines."""
    readme = (ROOT / "README.md").read_text()
    tour = readme.partition("## A tour with curl")[2].partition("\n## ")[0]
    return re.findall(r"^\$ ((?:.*\\\n)*.*)", tour, re.MULTILINE)


@pytest.mark.parametrize("prefix", ["/dev", ""])
def test_the_tour_works(local_site: LocalSite, prefix: str, tmp_path: Path):
    if not shutil.which("curl") and not install.from_apt("curl"):
        raise install.Unavailable(
            "curl is not installed and could not be downloaded. Install it."
        )
    (tmp_path / "admin-password").write_text(local_site.password)
    script = "\n".join(commands())
    assert script.startswith("PREFIX=/dev\n")
    # The port, the folder and the event source differ from those of `make run`.
    script = (
        script.replace("PREFIX=/dev\n", f"PREFIX={prefix}\n", 1)
        .replace("localhost:3000", f"localhost:{local_site.port}")
        .replace(".run/", f"{tmp_path}/")
    )

    output = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode(errors="replace")

    assert f"location: {prefix}/admin/login/?next={prefix}/admin/" in output
    assert re.search(rf"location: {prefix}/admin/\s", output)
    assert "\n302\n" in output
    assert "\nsame\n" in output
    assert '"error": "not_found"' in output
