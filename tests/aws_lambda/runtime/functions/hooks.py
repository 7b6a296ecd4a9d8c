"""A function with hooks of SnapStart, one of which may fail."""

import os
import sys

import snapshot_restore_py


def hook(name):
    print(name)
    if os.environ.get("FAILING_HOOK") == name:
        raise LookupError(name)
    if os.environ.get("EXITING_HOOK") == name:
        sys.exit(9)


for number in (1, 2):
    snapshot_restore_py.register_before_snapshot(hook, f"before {number}")
    snapshot_restore_py.register_after_restore(hook, f"after {number}")


def handle(event, context):
    return "restored"
