"""nginx and HAProxy, configured as in deploy, on free ports in front of a test's server."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.servers import ROOT, eventually, free_port
from tests.live.wire import Wire
from tests.programs import needed

NAME = "chat.example"
#: What the example of nginx is included in.
_NGINX = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/chatsystem.conf;
}}
"""


class Proxy:
    """One of them; `url` is where clients come in, by HTTPS."""

    def __init__(self, folder: Path, server_port: int) -> None:
        self.folder, self.server_port = folder, server_port
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.plain_url = f"http://127.0.0.1:{self.plain_port}"
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        # In 1.3 a server speaks up before it is asked, so nobody could wait for its answer.
        self.tls.maximum_version = ssl.TLSVersion.TLSv1_2
        self._make_certificate()

    def wire(self, within: float = 30) -> Wire:
        """A new connection to it, on which each wait lasts so many seconds at most."""
        return Wire(self.url, tls=self.tls, within=within)

    def answers(self) -> bool:
        """Whether it serves, and the server behind it too."""
        try:
            with self.wire() as wire:
                wire.send(b"GET /health/live HTTP/1.1\r\nHost: chat.example\r\n\r\n")
                answer = wire.answer()
        except OSError:
            return False
        return answer is not None and answer.status == 200

    def adapted(self, path: str, *changes: tuple[str, str]) -> Path:
        """A copy of an example with other addresses; each of them has to be there."""
        text = (ROOT / "deploy" / path).read_text()
        for old, new in (("127.0.0.1:8000", f"127.0.0.1:{self.server_port}"), *changes):
            assert old in text
            text = text.replace(old, new)
        copy = self.folder / Path(path).name
        copy.write_text(text)
        return copy

    def _make_certificate(self) -> None:
        key, certificate = self.folder / "privkey.pem", self.folder / "fullchain.pem"
        make = [needed("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
        make += ["-subj", f"/CN={NAME}", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(make, check=True, capture_output=True, timeout=60)
        both = self.folder / "both.pem"
        both.write_text(certificate.read_text() + key.read_text())


def _nginx(proxy: Proxy) -> list[str]:
    proxy.adapted(
        "nginx/chatsystem.conf",
        ("listen 80;", f"listen 127.0.0.1:{proxy.plain_port};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{proxy.port} ssl http2;"),
        ("/var/log/nginx", str(proxy.folder)),
        (f"/etc/ssl/{NAME}", str(proxy.folder)),
    )
    main = proxy.folder / "nginx.conf"
    main.write_text(_NGINX.format(folder=proxy.folder))
    return [needed("nginx", "nginx-light"), "-e", f"{proxy.folder}/nginx.log", "-c", str(main)]


def _haproxy(proxy: Proxy) -> list[str]:
    adapted = proxy.adapted(
        "haproxy/haproxy.cfg",
        ("bind :80", f"bind 127.0.0.1:{proxy.plain_port}"),
        ("bind :443", f"bind 127.0.0.1:{proxy.port}"),
        (f"/etc/ssl/{NAME}.pem", str(proxy.folder / "both.pem")),
    )
    return [needed("haproxy", "haproxy"), "-db", "-f", str(adapted)]


_COMMANDS = {"nginx": _nginx, "haproxy": _haproxy}
NAMES = sorted(_COMMANDS)


@contextmanager
def proxy(name: str, folder: Path, server_port: int) -> Iterator[Proxy]:
    """That proxy in front of the server on this port."""
    needed(name, {"nginx": "nginx-light"}.get(name, name))
    made = Proxy(folder, server_port)
    process = subprocess.Popen(_COMMANDS[name](made), cwd=folder)
    try:
        eventually(made.answers, 30, f"{name} answers")
        yield made
    finally:
        process.terminate()
        process.wait(20)
