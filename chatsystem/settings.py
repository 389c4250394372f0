"""Django's settings, derived from the environment (chatsystem.env) and from nothing else."""

from typing import Any

import django_stubs_ext

from chatsystem import env, installation
from chatsystem.beat_schedule import beat_schedule
from chatsystem.databases import caches, database
from chatsystem.env import names
from infra import timeouts
from infra.logs.formatting import logging_configuration
from infra.rabbitmq import queues

django_stubs_ext.monkeypatch()

ENVIRONMENT = env.read()
EMBEDDED = ENVIRONMENT.profile is env.Profile.EMBEDDED
BASE_DIR = env.BASE_DIR

VAR_DIR = ENVIRONMENT.var_dir
installation.keep_private()
installation.make_folder(VAR_DIR)
SECRET_KEY = ENVIRONMENT.secret_key or installation.embedded_secret_key(VAR_DIR)
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = names(ENVIRONMENT.allowed_hosts)

INSTALLED_APPS = [
    "chatsystem",  # first: its createsuperuser goes before Django's
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "infra",
    "ingest",
    "operations",
    "applications",
    "chats",
    "messages_app",
    "retention",
    "conversations",
    "search",
    "events",
    "webhooks",
]

_REQUEST_ID = "api.handler.RequestIdMiddleware"
MIDDLEWARE = [
    "api.request_metrics.CountRequests",
    _REQUEST_ID,
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "operations.admin.sessions.IdleSessions",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "api.handler.ContentSecurityPolicy",
]
#: The part of MIDDLEWARE that requests to the API pass; api.handler does the rest for them.
API_MIDDLEWARE = [_REQUEST_ID]

if ENVIRONMENT.shows_demo:
    INSTALLED_APPS.append("demo")

if ENVIRONMENT.cors_origins:
    INSTALLED_APPS.append("corsheaders")
    for chain in MIDDLEWARE, API_MIDDLEWARE:
        chain.insert(chain.index(_REQUEST_ID) + 1, "corsheaders.middleware.CorsMiddleware")
    CORS_ALLOWED_ORIGINS = names(ENVIRONMENT.cors_origins)
    CORS_URLS_REGEX = r"^/api/"
    CORS_ALLOW_HEADERS = (
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "last-event-id",
        "x-request-id",
    )
    CORS_EXPOSE_HEADERS = (
        "ETag",
        "Idempotency-Replayed",
        "Location",
        "RateLimit-Limit",
        "RateLimit-Remaining",
        "RateLimit-Reset",
        "Retry-After",
        "Search-Backend",
        "X-Request-ID",
    )

# Passwords and sessions of the admin

PASSWORD_HASHERS = ["operations.admin.logins.Hasher"]
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
]
# A session ends when it is idle (operations.admin.sessions), or with the browser.
SESSION_COOKIE_AGE = 60 * ENVIRONMENT.session_idle_minutes
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# With HTTPS=1 a proxy terminates TLS and says so in a header; otherwise nothing may require TLS.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENVIRONMENT.https
if ENVIRONMENT.https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    # Health checks come from inside, not through the proxy.
    SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics/?\Z"]
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # the owner of the domain decides about its other hosts
    "security.W021",
]

ROOT_URLCONF = "chatsystem.urls"
APPEND_SLASH = False
CSRF_FAILURE_VIEW = "api.problems.csrf_failure"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Database

DATABASES = {
    "default": database(
        ENVIRONMENT.database_url or f"sqlite:///{VAR_DIR / 'chatsystem.sqlite3'}",
        test_file=VAR_DIR / "test.sqlite3",
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    installation.close(installation.database_files(DATABASES["default"]["NAME"]))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis, RabbitMQ, Elasticsearch

CACHES = caches(ENVIRONMENT.redis_url)

CELERY_BROKER_URL = ENVIRONMENT.broker_url or "memory://"
CELERY_BROKER_CONNECTION_TIMEOUT = timeouts.CELERY_CONNECT_SECONDS
CELERY_BROKER_HEARTBEAT = timeouts.CELERY_HEARTBEAT_SECONDS
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # without end
CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True} if ENVIRONMENT.broker_url else {}
# Without a broker a task runs where it is sent: beat runs the scheduled tasks itself.
CELERY_TASK_ALWAYS_EAGER = not ENVIRONMENT.broker_url
CELERY_IMPORTS = ("ingest.writer",)
CELERY_TASK_QUEUES = list(queues.WORK.values()) if ENVIRONMENT.broker_url else None
CELERY_TASK_DEFAULT_QUEUE = queues.MAINTENANCE
CELERY_TASK_DEFAULT_EXCHANGE = ""  # AMQP's own: it routes by the queue's name
CELERY_TASK_ROUTES = {
    "search.tasks.index": {"queue": queues.SEARCH},
    "webhooks.tasks.deliver": {"queue": queues.WEBHOOKS},
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_ACKS_ON_FAILURE = False
CELERY_TASK_ACKS_ON_TIMEOUT = False
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_CONSUMER = "infra.celery_consumer:Consumer"
CELERY_WORKER_POOL = "prefork"  # with late acknowledgement "solo" stalls
CELERY_WORKER_CONCURRENCY = 1
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 512 * 1024  # KiB; a batch needs some 50 MiB
CELERY_WORKER_PROC_ALIVE_TIMEOUT = timeouts.CELERY_CHILD_START_SECONDS
# The task may finish its work; its message is redelivered, and its rows are known then.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_DB_REUSE_MAX = timeouts.CELERY_TASKS_PER_DATABASE_CONNECTION
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = beat_schedule(ENVIRONMENT)

# HTTP

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "applications.authentication.KeyAuthentication",
        "applications.authentication.StaffSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["applications.authentication.KeyOpens"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_PARSER_CLASSES": ["api.requests.JsonParser", "api.requests.FormParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Chat system",
    "DESCRIPTION": "Applications have numbered chats, chats have numbered messages.",
    "VERSION": "1",
    "TAGS": [
        {"name": "applications", "description": "A client system, known by its token."},
        {"name": "chats", "description": "Of one application, numbered from 1."},
        {"name": "messages", "description": "Of one chat, numbered from 1."},
        {"name": "events", "description": "What happened in one application."},
        {"name": "webhooks", "description": "Where the events of one application are sent."},
    ],
    "ENUM_NAME_OVERRIDES": {"EventType": "events.schema.TYPES"},
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_PATCH": False,
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["api.openapi_document.without_trailing_slash"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.openapi_document.with_tags",
        "api.openapi_document.with_changes",
        "api.openapi_document.with_links",
        "api.openapi_document.with_limits",
    ],
}

STATIC_URL = "/static/"
# Collected static files are served from there; otherwise they are found in the packages.
_COLLECTED = BASE_DIR / "static"
STATIC_ROOT = _COLLECTED if _COLLECTED.is_dir() else None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = False
# The collected files may be served by another user. There are no uploads.
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o755
# The script of the plots is in the package plotly, which is not imported for it.
STATICFILES_DIRS = [("plotly", installation.package_folder("plotly") / "package_data")]

# Text, time, logs

LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = ["chatsystem.formats"]
USE_TZ = True
TIME_ZONE = "UTC"

LOGGING = logging_configuration(
    as_json=ENVIRONMENT.logs_json,
    level=ENVIRONMENT.log_level,
    secrets=(*ENVIRONMENT.secrets, SECRET_KEY),
)
