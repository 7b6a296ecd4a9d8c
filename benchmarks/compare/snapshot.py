"""
Initialise a handler once, and serve the first request of many clones of the process.

    python -I -S snapshot.py LIBRARIES CLONES HANDLER < event.json

A stand-in for SnapStart: the hooks run before and after, and each clone is a fork,
which copies memory when it writes to it. What AWS's own restoration takes is not in it.
Prints the processor milliseconds of each clone's first request, as JSON.
"""

import json
import os
import sys
import time

libraries, clones, name = sys.argv[1:]
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"]]
sys.path.append(libraries)
sys.dont_write_bytecode = True

import snapshot_restore_py  # noqa: E402
from awslambdaric.lambda_context import LambdaContext  # noqa: E402

event = json.load(sys.stdin)
module, dot, function = name.rpartition(".")
output = os.dup(1)
os.dup2(2, 1)
handler = getattr(__import__(module), function)
for hook, values, options in snapshot_restore_py.get_before_snapshot():
    hook(*values, **options)

found = []
for _ in range(int(clones)):
    source, sink = os.pipe()
    if os.fork() == 0:
        start = time.process_time()
        for hook, values, options in snapshot_restore_py.get_after_restore():
            hook(*values, **options)
        deadline = int((time.time() + 28) * 1000)
        context = LambdaContext("1", {}, {}, deadline, "arn:aws:lambda:x:1:function:f")
        result = handler(event, context)
        milliseconds = (time.process_time() - start) * 1000
        served = result["statusCode"] == 200
        os.write(sink, json.dumps(milliseconds if served else None).encode())
        os._exit(0)
    os.close(sink)
    with os.fdopen(source) as pipe:
        found.append(json.loads(pipe.read()))
    os.wait()
os.write(output, json.dumps(found).encode())
