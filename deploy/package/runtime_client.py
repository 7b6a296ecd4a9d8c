"""
Start the runtime client as Lambda does, with nothing but the package at hand.

    python -I -S runtime_client.py RUNTIME HANDLER

The package comes first in the path, then Lambda's own libraries in RUNTIME, and no
site-packages of this machine. The folder of this file is not in the path either.
"""

import os
import runpy
import sys

runtime, handler = sys.argv[1:]
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"]]
sys.path.append(runtime)
# Neither the package nor its timing is to depend on bytecode that is written now.
sys.dont_write_bytecode = True
sys.argv = ["awslambdaric", handler]
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
