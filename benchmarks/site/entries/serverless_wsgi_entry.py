# What the handler of its Serverless plugin does with a request:
# https://github.com/logandk/serverless-wsgi/blob/master/wsgi_handler.py
from typing import Any

import serverless_wsgi
from shop.wsgi import application


def handler(event: Any, context: Any) -> Any:
    return serverless_wsgi.handle_request(application, event, context)
