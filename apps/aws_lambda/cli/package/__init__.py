"""Build the archive that Lambda runs, and test it before it is uploaded."""


class PackageError(Exception):
    """Why a package was not built or is refused, and what to do."""
