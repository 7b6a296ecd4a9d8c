"""
Join the bytecode of modules, with the Python that has compiled it.

    python -I -S joiner.py < groups.json > joined

A group is an object of module names and the paths of their .pyc files. The output is a
line of JSON with the size of each group in bytes, and the groups: marshalled dicts of
name: code. In one of them the modules share their names and constants.

It imports little and makes no path of its own: marshal shares what has more than one
reference, so the bytes depend on what this process has besides.
"""

import json
import marshal
import sys

HEADER_BYTES = 16


def join(group: dict[str, str]) -> bytes:
    codes = {}
    for name, path in group.items():
        with open(path, "rb") as file:
            codes[name] = marshal.loads(file.read()[HEADER_BYTES:])  # noqa: S302
    return marshal.dumps(codes)


if __name__ == "__main__":
    joined = [join(group) for group in json.load(sys.stdin)]
    line = json.dumps([len(part) for part in joined]).encode() + b"\n"
    sys.stdout.buffer.write(b"".join((line, *joined)))
