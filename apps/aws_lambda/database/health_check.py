"""A health check of a PostgreSQL connection that cannot hang."""

import select
import time

from psycopg import OperationalError
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

# A server in the same region answers in about a millisecond. With the time that a
# new connection takes, a lost one costs a request less than three seconds.
SECONDS = 2.0


def answers(connection: PGconn, seconds: float = SECONDS) -> bool:
    """
    Tell whether the server on this connection answers a query in time.

    Django's own check waits for ever on a connection that the other side has
    forgotten without a word, as a NAT gateway, a failed host or a stuck proxy
    does. ``tcp_user_timeout`` ends that only where the other side's kernel is
    gone too: while it still acknowledges what it receives, TCP sees no fault.

    Close the connection after False: an answer may still be on its way.
    """
    deadline = time.monotonic() + seconds
    poll = select.poll()
    try:
        poll.register(connection.socket, select.POLLIN)
        connection.send_query(b"SELECT 1")
        while True:
            # psycopg's connections do not block, so a full buffer leaves a rest.
            while connection.flush() or connection.is_busy():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                poll.poll(left * 1000)
                connection.consume_input()
            # Waits if the connection is still busy, hence the loop above.
            result = connection.get_result()
            if result is None:
                return True
            if result.status != ExecStatus.TUPLES_OK:
                return False
    except OperationalError:
        return False
