"""
Start AWS's runtime client as Lambda does, with only the package to import.

    python -S runtime_client.py HANDLER

The import path has the package first, then the libraries of Lambda's runtime in
LAMBDA_RUNTIME_DIR. It has neither this machine's site-packages nor the folder of this
file.
"""

import os
import runpy
import sys

[handler] = sys.argv[1:]
sys.path[:1] = [os.environ["LAMBDA_TASK_ROOT"]]
sys.path.append(os.environ["LAMBDA_RUNTIME_DIR"])
sys.argv = ["awslambdaric", handler]
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
