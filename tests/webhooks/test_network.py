"""Deliveries reach permitted addresses only, whatever a name resolves to, and end in time."""

import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.webhooks.receiver import Receiver, Reply, reset
from webhooks import network
from webhooks.destinations import Destinations
from webhooks.models import Answer, Outcome
from webhooks.rules import Endpoint
from webhooks.sending import MAX_ANSWER_BYTES, send

PUBLIC = "93.184.215.14"
INSIDE = Destinations((ip_network("127.0.0.0/8"),))


def deliver(
    port: int,
    host: str = "127.0.0.1",
    *,
    scheme: str = "http",
    destinations: Destinations = INSIDE,
    seconds: float = 15,
    body: bytes = b"{}",
) -> Answer:
    """The answer to a request."""
    endpoint = Endpoint(scheme, host, port, f"{host}:{port}", "/hook")
    deadline = time.monotonic() + seconds
    return send(endpoint, {"webhook-id": "x"}, body, destinations=destinations, deadline=deadline)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
        *("224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "198.18.0.1"),
        *("192.0.2.1", "192.88.99.1", "::", "::1", "::ffff:8.8.8.8", "::ffff:127.0.0.1"),
        *("::8.8.8.8", "64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:a00:1::1"),
        *("2001::1", "fe80::1", "fe80::1%1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
        *("2001:db8::1", "3fff::1", "100::1", "5f00::1"),
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    for destinations in (Destinations(), Destinations((ip_network("10.9.0.0/16"),))):
        assert not destinations.permits(ip_address(address), is_encrypted=True)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "2001:4860:4860::8888"])
def test_public_addresses_are_permitted_with_tls_alone(address: str) -> None:
    assert Destinations().permits(ip_address(address), is_encrypted=True)
    assert not Destinations().permits(ip_address(address), is_encrypted=False)


def test_allowed_networks_are_permitted_without_tls_too() -> None:
    inside = Destinations((ip_network("10.0.0.0/8"),))

    assert inside.permits(ip_address("10.1.2.3"), is_encrypted=False)
    assert not inside.permits(ip_address("::ffff:10.1.2.3"), is_encrypted=True)
    assert not inside.permits(ip_address(PUBLIC), is_encrypted=False)


@contextmanager
def listening() -> Iterator[tuple[int, Event]]:
    """A port, and whether anybody has connected to it."""
    touched = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        ended = Event()

        def accept() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    server.accept()[0].close()
                    touched.set()

        thread = Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1], touched
        finally:
            ended.set()
            thread.join()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "localhost."]
)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_nothing_connects_to_an_address_that_is_refused(host: str, scheme: str) -> None:
    with listening() as (port, touched):
        answer = deliver(port, host, scheme=scheme, destinations=Destinations())

        assert answer.outcome is Outcome.ADDRESS
        assert not touched.wait(0.1)


def test_a_name_that_is_public_first_and_private_later_is_refused_at_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]
    connected: list[str] = []
    monkeypatch.setattr(network, "look_up", lambda *_: answers.pop(0))

    def connect(address: tuple[str, int], **_: object) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)

    first = deliver(443, "rebinding.example", scheme="https", destinations=Destinations())
    assert (first.outcome, connected) == (Outcome.CONNECTION, [PUBLIC])
    # One look-up for a connection: there is no second one, whose answer could differ.
    assert answers == [["127.0.0.1"]]

    again = deliver(443, "rebinding.example", scheme="https", destinations=Destinations())
    assert (again.outcome, connected) == (Outcome.ADDRESS, [PUBLIC])


def test_of_mixed_addresses_only_permitted_ones_are_tried(
    hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ["169.254.169.254", "::1", "127.0.0.1"]
    monkeypatch.setattr(network, "look_up", lambda *_: found)

    assert deliver(hook.port, "mixed.example").is_success
    assert len(hook.received) == 1


def test_a_redirect_to_a_metadata_address_is_not_followed(hook: Receiver) -> None:
    hook.replies = [Reply(307, {"Location": "http://169.254.169.254/latest/meta-data/"})]

    answer = deliver(hook.port)

    assert (answer.outcome, answer.status, answer.text) == (Outcome.STATUS, 307, "")
    assert len(hook.received) == 1


def test_a_redirect_to_itself_is_not_followed_either(hook: Receiver) -> None:
    hook.replies = [Reply(302, {"Location": hook.url})]

    assert deliver(hook.port).status == 302
    assert len(hook.received) == 1


def test_proxies_of_the_environment_are_ignored(
    hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as (port, touched):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")

        assert deliver(hook.port).is_success
        assert not touched.is_set()


def test_a_name_that_does_not_exist_has_no_address() -> None:
    assert deliver(443, "no-such-host.invalid", scheme="https").outcome is Outcome.ADDRESS


def test_a_name_server_that_hangs_costs_the_time_of_one_delivery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = Event()
    monkeypatch.setattr(network, "look_up", lambda *_: released.wait(30) and [])
    try:
        assert deliver(443, "slow.example", seconds=0.2).outcome is Outcome.TIMEOUT
    finally:
        released.set()


def drip(piece: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer that never ends and never pauses for long."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        end = time.monotonic() + 20
        with suppress(OSError):
            while time.monotonic() < end:
                handler.wfile.write(piece)
                time.sleep(0.01)

    return behave


@pytest.mark.parametrize(
    "behaviour",
    [drip(b"H"), drip(b"HTTP/1.1 100 Continue\r\n\r\n"), drip(b"HTTP/1.1 500 x\r\nX: y\r\n")],
    ids=["bytes", "interim answers", "headers"],
)
def test_an_endpoint_that_drips_is_left_at_the_deadline(
    hook: Receiver, behaviour: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    hook.replies = [behaviour]
    began = time.monotonic()

    answer = deliver(hook.port, seconds=0.5)

    assert answer.outcome in (Outcome.TIMEOUT, Outcome.PROTOCOL)
    assert time.monotonic() - began < 5


def test_an_endpoint_that_hangs_is_left_at_the_deadline(hook: Receiver) -> None:
    hook.replies = [hook.hang]

    assert deliver(hook.port, seconds=0.2) == Answer(Outcome.TIMEOUT, text="timed out")


def test_an_endpoint_that_reads_nothing_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = server.getsockname()[1]

        assert deliver(port, seconds=0.3, body=b"x" * 2**23).outcome is Outcome.TIMEOUT


def test_nothing_is_sent_after_the_deadline(hook: Receiver) -> None:
    assert deliver(hook.port, seconds=-1).outcome is Outcome.TIMEOUT
    assert not hook.received


def test_a_huge_answer_is_read_to_4_kib(hook: Receiver) -> None:
    sent: list[int] = []

    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        with suppress(OSError):
            sent.extend(handler.wfile.write(b"x" * 100_000) for _ in range(10_000))

    hook.replies = [flood]

    answer = deliver(hook.port)

    assert answer.is_success
    assert answer.text == "x" * 300
    hook.close()
    assert sum(sent) < 20_000_000
    assert MAX_ANSWER_BYTES == 4096


def test_a_body_that_hangs_after_its_status_does_not_undo_the_success(hook: Receiver) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        hook.hang(handler)

    hook.replies = [half]

    assert deliver(hook.port, seconds=3).is_success


def test_what_an_answer_contains_obeys_nobody(hook: Receiver) -> None:
    hook.replies = [Reply(400, body=b"\x1b[2J\0\r\n\xff\xe2\x80\xae<script>")]

    answer = deliver(hook.port)

    assert answer.text == "\\x1b[2J\\x00\\r\\n\ufffd\\u202e<script>"


@pytest.mark.parametrize(
    "sent",
    [
        *(b"\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"HTTP/1.1 200 OK\r\nA\r\n\r\n"),
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000,
    ],
)
def test_what_is_no_http_is_a_failure(hook: Receiver, sent: bytes) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(sent)

    hook.replies = [answer]

    assert deliver(hook.port).outcome is Outcome.PROTOCOL


def test_a_connection_that_is_cut_is_a_failure(hook: Receiver) -> None:
    hook.replies = [reset]

    assert deliver(hook.port).outcome in (Outcome.CONNECTION, Outcome.PROTOCOL)


def test_a_port_where_nobody_listens_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert deliver(port).outcome is Outcome.CONNECTION


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for the name hooks.example, which signs itself, and its key in one file."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=hooks.example"),
            *("-addext", "subjectAltName=DNS:hooks.example"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    both = tmp_path / "both"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


@pytest.mark.costly
def test_a_certificate_must_be_trusted_and_of_the_name(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "look_up", lambda *_: ["127.0.0.1"])
    with receiver_with_tls(certificate) as hook:
        untrusted = deliver(hook.port, "hooks.example", scheme="https")
        monkeypatch.setattr(
            "webhooks.sending.tls_context",
            lambda: ssl.create_default_context(cafile=str(certificate)),
        )
        another = deliver(hook.port, "another.example", scheme="https")
        right = deliver(hook.port, "hooks.example", scheme="https")

    assert (untrusted.outcome, another.outcome) == (Outcome.TLS, Outcome.TLS)
    assert "certificate" in untrusted.text
    assert right.is_success


@pytest.mark.costly
def test_an_endpoint_without_tls_is_a_failure(hook: Receiver) -> None:
    assert deliver(hook.port, scheme="https").outcome is Outcome.TLS


@contextmanager
def receiver_with_tls(certificate: Path) -> Iterator[Receiver]:
    """A receiver behind TLS."""
    hook = Receiver()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    hook.use_tls(context)
    try:
        yield hook
    finally:
        hook.close()
