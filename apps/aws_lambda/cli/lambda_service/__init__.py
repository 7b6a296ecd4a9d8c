"""
Lambda's side of an invocation, on this machine.

A handler runs as it does on Lambda: in a process of its own, started by a runtime
client, which polls the Runtime API for events. The process can be frozen and thawed.
"""

from .execution_environment import ExecutionEnvironment
from .runtime_api import FunctionError, StreamedResult

__all__ = ["ExecutionEnvironment", "FunctionError", "StreamedResult"]
