"""
What a developer runs: serve the site locally, build its package, release a stage.

Nothing of it is imported by a handler, and the package that Lambda runs does not
contain it.
"""

from pathlib import Path


def find_root() -> Path:
    """Return the nearest folder with a serverless.yml, from here upwards."""
    here = Path.cwd()
    return next(
        (f for f in (here, *here.parents) if (f / "serverless.yml").is_file()), here
    )


# This folder in a package, which leaves it out.
FOLDER = __name__.replace(".", "/")
# The folder of the project.
ROOT = find_root()
SERVERLESS = ROOT / "node_modules" / ".bin" / "serverless"
