"""What chats and documents are called in the index.

Which index is for what: three aliases say it, and Elasticsearch alone knows.

    read    the complete index, which answers searches; nowhere until the first one is complete
    write   the same index, where changes go
    build   an index that is being filled from the table; changes go there too

So when Elasticsearch loses its data it loses the aliases with them, and everybody sees that an
index has to be built.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from infra.timeouts import SEARCH_PATIENT_SECONDS
from ingest.records import Key
from search.index.client import client, failures, patient_client


def document_name(key: Key) -> str:
    """A natural key as one word: of a message its document's id, of a chat its routing."""
    return "/".join(map(str, key))


class Role(StrEnum):
    """What an index is for."""

    READ = "read"
    WRITE = "write"
    BUILD = "build"


def alias(role: Role) -> str:
    """The name under which the index of this role is reached."""
    return f"{settings.ENVIRONMENT.elasticsearch_index}-{role}"


def pattern() -> str:
    """What the names of all indexes and aliases of this installation match."""
    return f"{settings.ENVIRONMENT.elasticsearch_index}-*"


@dataclass(frozen=True)
class Target:
    """An index to which changes go: its alias, and its own name."""

    alias: str
    index: str


@dataclass(frozen=True)
class Layout:
    """The index of each role that has one, by its own name."""

    by_role: dict[Role, str]

    @property
    def live(self) -> str | None:
        """The complete index."""
        return self.by_role.get(Role.READ)

    @property
    def build(self) -> str | None:
        """The index that is being filled."""
        return self.by_role.get(Role.BUILD)

    @property
    def targets(self) -> list[Target]:
        """Where changes go. Empty when there is no index at all."""
        roles = (Role.WRITE, Role.BUILD)
        return [Target(alias(role), self.by_role[role]) for role in roles if role in self.by_role]


def layout(timeout: float = SEARCH_PATIENT_SECONDS) -> Layout:
    """How it is now; the timeout is in seconds. Raises IndexUnusable."""
    asked = client().options(request_timeout=timeout)
    with failures():
        # By pattern, since a name that is nowhere would be an error. Of our indexes alone: else a
        # blocked index of anybody in the cluster makes Elasticsearch refuse.
        indexes = asked.indices.get_alias(index=pattern(), name=pattern())
    roles = {alias(role): role for role in Role}
    return Layout({
        roles[name]: index
        for index, about in indexes.items()
        for name in about["aliases"]
        if name in roles
    })  # fmt: skip


def all_indexes() -> set[str]:
    """The names of all indexes of this installation, also those that are closed or have no role."""
    with failures():
        indexes = patient_client().indices.get(
            index=pattern(), features="settings", expand_wildcards=["open", "closed"]
        )
    return set(indexes)
