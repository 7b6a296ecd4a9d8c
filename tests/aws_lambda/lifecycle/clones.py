"""
Go through a SnapStart life in one process, and fork where Lambda would copy it.

Prints, for each clone, what must not be the same in two of them.
"""

import json
import os
import random
import sys
from email.utils import make_msgid
from typing import Any

import snapshot_restore_py as hooks
from django.db import connection

import lambda_entry  # noqa: F401


def tell(restored: bool) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [backend] = cursor.fetchone()
    return {
        "restored": restored,
        "backend": backend,
        "random": random.random(),
        "message_id": make_msgid(idstring="", domain="example.com").split(".")[2],
    }


def main() -> None:
    # Somebody used the database in the init phase.
    connection.ensure_connection()
    for function, args, kwargs in reversed(hooks.get_before_snapshot()):
        function(*args, **kwargs)
    held = connection.connection is not None
    state = random.getstate()
    for restored in (True, True, True, False, False):
        if os.fork() == 0:
            # Python seeds anew after a fork; a copied memory does not.
            random.setstate(state)
            if restored:
                for function, args, kwargs in hooks.get_after_restore():
                    function(*args, **kwargs)
            print(json.dumps({**tell(restored), "held": held}), flush=True)
            # Until told, so that no two live after each other in the same backend.
            sys.stdin.readline()
            os._exit(0)


main()
