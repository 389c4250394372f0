"""Sends commands that must not run twice: once, and their outcome is never guessed.

Only if a command surely had no effect, because it was not sent or the server refused it, may a row
be numbered elsewhere. Any other failure leaves the outcome open.
"""

from types import TracebackType
from typing import Any, Self

import redis

from infra.redis_client import RedisUnavailable, Server, Shard, learn_servers, server_of
from infra.service_errors import Meaning, is_moving, meaning_of
from ingest.numbering.errors import Moving, NumbersUnavailable, Unanswered, Untrusted


class RoundTrip:
    """Commands that are all sent before the first answer is read, so that they take one round trip.

    Each server gets its commands over one connection, and answers them in their order.
    """

    def __init__(self) -> None:
        self._connections: dict[Server, Any] = {}  # redis-py's connections are not typed
        self._broken: dict[Server, Exception] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server, connection in self._connections.items():
            if error or server in self._broken:  # answers may be left in it
                connection.disconnect()
            server.pool.release(connection)

    def send(self, shard: Shard, *command: Any) -> Server:
        """Send the command to the shard's server. Raises NumbersUnavailable."""
        try:
            server = server_of(shard)
        except RedisUnavailable as away:
            raise NumbersUnavailable(str(away)) from away
        if server.breaker.is_open:
            raise NumbersUnavailable("known to be away")
        if server in self._broken:
            raise NumbersUnavailable(str(self._broken[server]))
        connection = self._connection_to(server)
        try:
            connection.send_packed_command(connection.pack_command(*command), check_health=False)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            # A command that was not sent whole is never run: the connection is closed now.
            self._broken[server] = error
            raise NumbersUnavailable(str(error)) from error
        return server

    def read(self, server: Server) -> Any:
        """The next answer of this server. Raises NoNumbers."""
        if server in self._broken:
            raise Unanswered(str(self._broken[server]))
        try:
            return self._connections[server].read_response()
        except redis.exceptions.NoScriptError as error:
            raise Untrusted("the script is not there") from error
        except redis.RedisError as error:
            learn_servers(error)
            if is_moving(error):
                raise Moving(str(error)) from error
            if not isinstance(error, redis.ResponseError):
                self._broken[server] = error
                server.breaker.open(error)
            failure = Unanswered if meaning_of(error) is Meaning.OPEN else NumbersUnavailable
            raise failure(str(error)) from error

    def give_up(self, server: Server, error: Exception) -> None:
        """Read no further answer of this server: what comes may not belong to the next command."""
        self._broken[server] = error

    def _connection_to(self, server: Server) -> Any:
        """A connection that seems to be alive. Raises NumbersUnavailable."""
        if server not in self._connections:
            try:
                self._connections[server] = server.pool.get_connection()
            except redis.RedisError as error:
                meaning_of(error)  # logs an unknown error
                server.breaker.open(error)
                raise NumbersUnavailable(str(error)) from error
        return self._connections[server]
