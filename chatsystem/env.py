"""The settings from the environment: read once, typed, and checked for contradictions.

Every setting of an operator is a field here; README.md lists the same fields. An invalid value ends
the process with one sentence (`read`).
"""

import re
import sys
from enum import StrEnum
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.rate_limits.gcra import parse_rate
from chatsystem.installation import DEFAULT_FOLDER, SECRET_KEY_CHARACTERS, guessable, stop
from infra.addresses import networks
from infra.logs.formatting import passwords

BASE_DIR = Path(__file__).resolve().parent.parent

_HTTP = ("http", "https")
#: The schemes of database servers, which all speak MySQL's protocol.
_SERVERS = ("mysql", "vitess")
#: The schemes of each URL.
_SCHEMES = {
    "database_url": ("sqlite", *_SERVERS),
    "redis_url": ("redis", "rediss", "unix", "redis-cluster"),
    "broker_url": ("amqp", "amqps"),
    "elasticsearch_url": _HTTP,
}
_WITHOUT_HOST = ("sqlite", "unix")

_TOKEN_CHARACTERS = 16
_MAKE_ONE = "for example by `openssl rand -hex 32`"

LOOPBACK = "127.0.0.0/8,::1"


class Profile(StrEnum):
    """Embedded: one SQLite file and no other service. Production: any other combination."""

    EMBEDDED = "embedded"
    PRODUCTION = "production"


class Environment(BaseSettings):
    """The settings, by their names in the environment; an empty URL disables that service."""

    #: Django looks this attribute up each time it reads a setting. If pydantic had to report it as
    #: missing, reading would cost four times as much.
    _mask_wrapped: ClassVar[bool] = True

    model_config = SettingsConfigDict(case_sensitive=False, extra="ignore", frozen=True)

    var_dir: Path = DEFAULT_FOLDER
    database_url: str = ""
    redis_url: str = ""
    broker_url: str = ""
    elasticsearch_url: str = ""
    elasticsearch_index: str = "messages"
    elasticsearch_shards: int = 1
    search_scan_messages: int | None = None

    secret_key: str = ""
    debug: bool = False
    demo: bool | None = None
    allowed_hosts: str = "127.0.0.1,localhost,[::1]"
    require_keys: bool | None = None
    https: bool = False
    cors_origins: str = ""
    rate_limit: str = ""
    login_attempts: int = 10
    session_idle_minutes: int = 60

    port: int = 8000
    web_concurrency: int = 0
    web_threads: int = 8
    web_queue: int = 256
    web_connections: int = 10_000
    web_connections_per_address: int = 2_000
    web_request_bytes: int = 64 * 1024 * 1024
    web_streams: int = 8_000
    web_streams_per_application: int = 8_000
    web_streams_per_address: int = 2_000
    log_level: str = "INFO"
    metrics_token: str = ""
    operator_networks: str | None = None
    prometheus_multiproc_dir: str = ""
    log_format: str = ""
    reconcile_every_seconds: int = 3600
    retention_days: int = 0
    events_days: int = 7
    webhook_allowed_networks: str | None = None

    @field_validator(*_SCHEMES)
    @classmethod
    def _urls_are_usable(cls, value: str, info: ValidationInfo) -> str:
        return checked_url(info.field_name or "", value)

    @field_validator("elasticsearch_index")
    @classmethod
    def _index_name_is_one(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_.]{0,99}", value):
            raise ValueError(
                "ELASTICSEARCH_INDEX must be a lower-case letter followed by lower-case letters, "
                f"digits, dots or underscores, not {value!r}"
            )
        return value

    @field_validator("rate_limit")
    @classmethod
    def _rate_limit_is_a_rate(cls, value: str) -> str:
        if value:
            parse_rate(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_origins(cls, value: str) -> str:
        for origin in names(value):
            parts = urlsplit(origin)
            if parts.scheme not in _HTTP or origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(
                    f"CORS_ORIGINS must be origins like https://example.org, not {origin!r}"
                )
        return value

    @field_validator("metrics_token")
    @classmethod
    def _token_is_long(cls, value: str) -> str:
        if value and not re.fullmatch(rf"[!-~]{{{_TOKEN_CHARACTERS},}}", value):
            raise ValueError(
                "METRICS_TOKEN must be 16 or more visible ASCII characters without spaces"
            )
        if value and (why := guessable(value, _TOKEN_CHARACTERS)):
            raise ValueError(f"METRICS_TOKEN {why}: set a random value, {_MAKE_ONE}")
        return value

    @field_validator("operator_networks")
    @classmethod
    def _networks_are_networks(cls, value: str | None) -> str | None:
        networks(value or "")
        return value

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _inside_is_networks(cls, value: str | None) -> str | None:
        networks(value or "", "WEBHOOK_ALLOWED_NETWORKS")
        return value

    @field_validator("log_level")
    @classmethod
    def _log_level_exists(cls, value: str) -> str:
        levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        if value.upper() not in levels:
            raise ValueError(f"LOG_LEVEL must be one of {', '.join(levels)}, not {value!r}")
        return value.upper()

    @field_validator("log_format")
    @classmethod
    def _log_format_exists(cls, value: str) -> str:
        if value not in ("", "json", "line"):
            raise ValueError(f"LOG_FORMAT must be json or line, not {value!r}")
        return value

    @model_validator(mode="after")
    def _numbers_are_in_range(self) -> Self:
        for name, low, high in (
            ("port", 1, 65535),
            ("login_attempts", 1, 10_000),
            ("session_idle_minutes", 1, 43_200),
            ("web_concurrency", 0, 256),
            ("web_threads", 1, 1024),
            ("web_queue", 1, 100_000),
            ("web_connections", 1, 1_000_000),
            ("web_connections_per_address", 1, 1_000_000),
            ("web_streams", 0, 1_000_000),
            ("web_streams_per_application", 0, 1_000_000),
            ("web_streams_per_address", 0, 1_000_000),
            ("web_request_bytes", 16 * 1024 * 1024, 64 * 1024**3),
            ("reconcile_every_seconds", 1, 86400),
            ("retention_days", 0, 36_500),
            ("events_days", 0, 36_500),
            ("elasticsearch_shards", 1, 1024),
            ("search_scan_messages", 0, 10_000_000),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name.upper()} must be between {low} and {high}, not {value}")
        return self

    @model_validator(mode="after")
    def _parts_do_not_contradict(self) -> Self:
        if self.debug and self.keys_required:
            raise ValueError(
                "DEBUG and REQUIRE_KEYS are both on (the latter by default if a service is set): "
                "DEBUG shows internals to anyone, so switch one of them off"
            )
        if self.profile is Profile.PRODUCTION and not self.secret_key:
            raise ValueError(f"SECRET_KEY is empty: in production set a random value, {_MAKE_ONE}")
        if self.profile is Profile.PRODUCTION and (
            why := guessable(self.secret_key, SECRET_KEY_CHARACTERS)
        ):
            raise ValueError(f"SECRET_KEY {why}: set a random value, {_MAKE_ONE}")
        if not self.debug and not self.allowed_hosts.strip(" ,"):
            raise ValueError("ALLOWED_HOSTS is empty: every request would be refused")
        if self.broker_url and self.database_url.partition(":")[0] not in _SERVERS:
            raise ValueError(
                "BROKER_URL is set but DATABASE_URL is not a mysql:// URL: "
                "workers need a database server"
            )
        return self

    def __copy__(self) -> Self:
        """Copy without the cached properties, which `model_copy` may change by other fields."""
        copied = super().__copy__()
        for name in vars(copied).keys() - type(self).model_fields.keys():
            del vars(copied)[name]
        return copied

    @property
    def profile(self) -> Profile:
        """The embedded profile, unless a service is set."""
        services = (self.redis_url, self.broker_url, self.elasticsearch_url)
        on_sqlite = not self.database_url or self.database_url.startswith("sqlite")
        return Profile.EMBEDDED if on_sqlite and not any(services) else Profile.PRODUCTION

    @cached_property
    def keys_required(self) -> bool:
        """REQUIRE_KEYS; by default on in production, where others can reach the service."""
        if self.require_keys is None:
            return self.profile is Profile.PRODUCTION
        return self.require_keys

    @property
    def shows_demo(self) -> bool:
        """DEMO; by default on in the embedded profile and with DEBUG."""
        if self.demo is None:
            return self.profile is Profile.EMBEDDED or self.debug
        return self.demo

    @property
    def operators_from(self) -> str:
        """OPERATOR_NETWORKS; by default this machine in the embedded profile, else none."""
        if self.operator_networks is None:
            return LOOPBACK if self.profile is Profile.EMBEDDED else ""
        return self.operator_networks

    @property
    def webhooks_inside(self) -> str:
        """WEBHOOK_ALLOWED_NETWORKS; by default this machine in the embedded profile, else none."""
        if self.webhook_allowed_networks is None:
            return LOOPBACK if self.profile is Profile.EMBEDDED else ""
        return self.webhook_allowed_networks

    @property
    def logs_json(self) -> bool:
        """Whether LOG_FORMAT is json; by default in production, unless stderr is a terminal."""
        if self.log_format:
            return self.log_format == "json"
        is_terminal = sys.__stderr__ is not None and sys.__stderr__.isatty()
        return self.profile is Profile.PRODUCTION and not is_terminal

    @cached_property
    def scanned_messages(self) -> int:
        """SEARCH_SCAN_MESSAGES; by default more if there is no Elasticsearch."""
        if self.search_scan_messages is None:
            return 20_000 if self.elasticsearch_url else 100_000
        return self.search_scan_messages

    @property
    def secrets(self) -> list[str]:
        """The values that logs must not show."""
        urls = (self.database_url, self.redis_url, self.broker_url, self.elasticsearch_url)
        return [self.secret_key, self.metrics_token, *passwords(urls)]

    @property
    def web_processes(self) -> int:
        """WEB_CONCURRENCY; by default one with SQLite, which has one writer, and else two."""
        return self.web_concurrency or (1 if self.profile is Profile.EMBEDDED else 2)


def names(value: str) -> list[str]:
    """The items of a list with commas."""
    return [name.strip() for name in value.split(",") if name.strip()]


def checked_url(field: str, value: str) -> str:
    """The URL, or an empty text if none is given. Raises ValueError."""
    if not value:
        return value
    name, schemes = field.upper(), _SCHEMES[field]
    wanted = " or ".join(f"{scheme}://…" for scheme in schemes)
    try:
        parts = urlsplit(value)
        hosts = [urlsplit(f"//{address}") for address in _addresses(parts)]
        hosts_are_sane = all(host.hostname and host.port != 0 for host in hosts)
    except ValueError as error:
        raise ValueError(f"{name} is not a URL ({error}); expected {wanted}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"{name} must begin with {wanted}, not {parts.scheme or value!r}")
    if parts.scheme not in _WITHOUT_HOST and not hosts_are_sane:
        raise ValueError(f"{name} names no host: {wanted}")
    if parts.scheme in _SERVERS:
        if not parts.path.strip("/"):
            raise ValueError(f"{name} names no database: mysql://user:password@host:3306/database")
        if not find_spec("MySQLdb"):
            raise ValueError(
                f"{name} names MySQL, but mysqlclient is not installed: "
                "pip install -r requirements.txt"
            )
    return value


def _addresses(parts: SplitResult) -> list[str]:
    """The addresses that a URL names: one, or those of some nodes of a cluster."""
    _, _, hosts = parts.netloc.rpartition("@")
    return hosts.split(",") if parts.scheme == "redis-cluster" else [hosts]


def read() -> Environment:
    """Read the environment, or exit with one sentence on standard error."""
    try:
        return Environment()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = str(first["msg"]).removeprefix("Value error, ")
        if first["loc"]:
            name = str(first["loc"][0]).upper()
            message = message if name in message else f"{name}: {message}"
        stop(message)
