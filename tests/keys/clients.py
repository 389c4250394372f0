"""API clients for holders of keys."""

from dataclasses import dataclass

from django.test import Client

from tests.api.client import Api

#: Of the webhook of an owner.
WEBHOOK_ID = 24 * "0"


@dataclass(frozen=True)
class Owner:
    """An application's path, its key, and the API with that key."""

    path: str
    key: str
    api: Api

    @property
    def token(self) -> str:
        return self.path.rpartition("/")[2]


def with_header(authorization: str) -> Api:
    """The API for a client that sends this header."""
    headers = {"Authorization": authorization}
    return Api(client=Client(raise_request_exception=False, headers=headers))


def with_key(key: str) -> Api:
    """The API for the holder of this key."""
    return with_header(f"Bearer {key}")


def new_owner(operator: Api) -> Owner:
    """A new application."""
    created = operator.post("/applications", {"name": "an application"}).json()
    return Owner(f"/applications/{created['token']}", created["key"], with_key(created["key"]))
