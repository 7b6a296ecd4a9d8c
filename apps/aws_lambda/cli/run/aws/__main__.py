"""
The process of the local AWS, which LocalAWS starts. It ends when its input closes.

The resources are those that the Serverless CLI has written to the file of the stage.
"""

import argparse
import json
import os
import select
import sys
import traceback
from pathlib import Path
from threading import Thread

# Otherwise every response allows every origin: the bucket's own rules decide.
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"

from werkzeug.serving import make_server

from .account import Account
from .mail import Mail
from .server import LocalApplication, QuietRequestHandler

INTERVAL_SECONDS = 0.1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--lambda-port", type=int, required=True)
    parser.add_argument("--site-port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--stage", type=Path, required=True)
    options = parser.parse_args()
    application = LocalApplication()
    account = Account(
        f"http://127.0.0.1:{options.port}",
        options.lambda_port,
        options.state / "buckets",
        application.serial,
    )
    mail = Mail(options.state / "mail")
    ready = False
    application.keep = [account.save, mail.save]
    application.pages = {
        "mail": mail.page,
        "ready": lambda rest: {"ready": True} if ready else None,
    }
    server = make_server(
        "127.0.0.1",
        options.port,
        application,
        threaded=True,
        request_handler=QuietRequestHandler,
    )
    Thread(target=server.serve_forever, daemon=True).start()
    origins = [f"http://{h}:{options.site_port}" for h in ("localhost", "127.0.0.1")]
    log = options.state / "aws.log"
    written, failed = 0, False
    while not input_has_ended():
        try:
            changed = options.stage.stat().st_mtime_ns
        except FileNotFoundError:
            continue
        if changed != written:
            account.create(json.loads(options.stage.read_text()), origins)
            written, ready = changed, True
        try:
            lines, failed = account.deliver(), False
        except Exception:
            traceback.print_exc()
            # The next look may succeed.
            lines = [] if failed else [f"The local AWS failed: see {log}"]
            failed = True
        for line in lines:
            print(line, flush=True)


def input_has_ended() -> bool:
    """Wait for the interval, unless the process that started this one has ended."""
    return bool(select.select([sys.stdin], [], [], INTERVAL_SECONDS)[0])


if __name__ == "__main__":
    main()
