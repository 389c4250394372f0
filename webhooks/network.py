"""The way to endpoints: it checks the address of each connection, and ends at a deadline.

A URL says nothing about where it leads: a name resolves to anything, and to something else next
time. So the name is resolved once for each connection, its addresses are checked, and the
connection goes to a checked one. An endpoint that drips bytes cannot exceed the deadline, which
applies to the delivery as a whole. So the timeouts of each operation are ignored.

httpcore has no proxies, redirects or decompression of its own accord, and its network backends are
public API. httpx-secure was considered: it replaces private attributes of httpx, and connects to an
address before it checks it.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from functools import cache
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import httpcore

from infra.timeouts import WEBHOOK_CONNECT_SECONDS
from webhooks.destinations import Address, Destinations

#: A name may have many addresses; this many are tried.
_MAX_ADDRESSES = 4


class AddressRefused(Exception):
    """The name does not exist, or deliveries may go to none of its addresses."""


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system resolves them. Raises OSError or UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def _look_up_within(host: str, port: int, seconds: float) -> list[Address]:
    """The same within a limit, which the system's resolver does not have.

    Raises AddressRefused, httpcore.ConnectTimeout.
    """
    answers: SimpleQueue[list[str] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(look_up(host, port))
        except Exception as error:  # noqa: BLE001 - it is raised in the waiting thread
            answers.put(error)

    Thread(target=ask, name="webhook-name", daemon=True).start()
    try:
        answer = answers.get(timeout=max(seconds, 0))
    except Empty:
        raise httpcore.ConnectTimeout("the name was not resolved in time") from None
    if isinstance(answer, OSError | UnicodeError):
        raise AddressRefused("the name has no address") from answer
    if isinstance(answer, Exception):
        raise answer
    return [ip_address(one) for one in answer]


class CheckedBackend(httpcore.NetworkBackend):
    """Opens connections of one delivery; `deadline` is its end, by time.monotonic()."""

    def __init__(self, destinations: Destinations, deadline: float, *, is_encrypted: bool) -> None:
        self._destinations, self._deadline = destinations, deadline
        self._is_encrypted = is_encrypted

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, check and connect. Raises AddressRefused and httpcore's errors."""
        found = _look_up_within(host, port, self._deadline - time.monotonic())
        permitted = [
            address
            for address in dict.fromkeys(found)
            if self._destinations.permits(address, is_encrypted=self._is_encrypted)
        ]
        if not permitted:
            raise AddressRefused("deliveries may not go to this address")
        return Stream(self._connect(permitted[:_MAX_ADDRESSES], port), self._deadline)

    def _connect(self, addresses: Sequence[Address], port: int) -> socket.socket:
        failure: Exception = httpcore.ConnectTimeout("the time is up")
        for address in addresses:
            left = self._deadline - time.monotonic()
            if left <= 0:
                break
            try:
                # The address is numeric, so nothing is resolved a second time.
                return socket.create_connection(
                    (str(address), port), timeout=min(left, WEBHOOK_CONNECT_SECONDS)
                )
            except TimeoutError as error:
                failure = httpcore.ConnectTimeout(str(error))
            except OSError as error:
                failure = httpcore.ConnectError(str(error))
        raise failure


class Stream(httpcore.NetworkStream):
    """A connection whose reads and writes end at the deadline of the delivery."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connection, deadline

    def _limit(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        self._socket.settimeout(left)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises httpcore.ReadTimeout, ReadError."""
        try:
            self._limit()
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises httpcore.WriteTimeout, WriteError."""
        rest = memoryview(buffer)
        try:
            while rest:
                self._limit()
                rest = rest[self._socket.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close without waiting for the other side."""
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Raises ssl.SSLError, httpcore.ConnectTimeout, ConnectError."""
        try:
            self._limit()
            wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except ssl.SSLError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise httpcore.ConnectError(str(error)) from error
        return Stream(wrapped, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Nothing that a client of HTTP/1.1 needs."""
        return None


@cache
def tls_context() -> ssl.SSLContext:
    """The system's certificates, or those that SSL_CERT_FILE names."""
    return ssl.create_default_context()
