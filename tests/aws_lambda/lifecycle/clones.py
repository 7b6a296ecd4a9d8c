"""
Run the SnapStart hooks in one process, and fork where Lambda would clone it.

Print for each clone the values that must be unique.
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


def unique_values(restored: bool) -> dict[str, Any]:
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
    # As if a project used the database in the init phase.
    connection.ensure_connection()
    for function, args, kwargs in reversed(hooks.get_before_snapshot()):
        function(*args, **kwargs)
    held = connection.connection is not None
    state = random.getstate()
    for restored in (True, True, True, False, False):
        if os.fork() == 0:
            # Python seeds ``random`` after a fork, but not after a restore.
            random.setstate(state)
            if restored:
                for function, args, kwargs in hooks.get_after_restore():
                    function(*args, **kwargs)
            print(json.dumps({**unique_values(restored), "held": held}), flush=True)
            # Stay alive, so that no other clone gets the same backend.
            sys.stdin.readline()
            os._exit(0)


main()
