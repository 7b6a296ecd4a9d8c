"""
Start the runtime client as Lambda does, with only the package to import.

    python -I -S runtime_client.py RUNTIME HANDLER

The import path has the package first, then the libraries of Lambda's runtime in
RUNTIME. It has neither this machine's site-packages nor the folder of this file.
"""

import os
import runpy
import sys

runtime, handler = sys.argv[1:]
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"]]
sys.path.append(runtime)
# Lambda's file system is read-only.
sys.dont_write_bytecode = True
sys.argv = ["awslambdaric", handler]
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
