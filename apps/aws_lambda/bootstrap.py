"""The init phase: everything that happens once per execution environment."""

import django


def setup() -> None:
    """
    Set Django up for the handlers.

    Called while ``lambda_entry`` is imported, which is the init phase: the
    processor runs at full speed there, and the result is part of a SnapStart
    snapshot. Exceptions escape on purpose, so that Lambda starts afresh.
    """
    django.setup(set_prefix=False)
