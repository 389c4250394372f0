"""The names and roles of indexes, and the names of documents.

Three aliases give each index its role. They exist in Elasticsearch alone.

    read    the complete index, which answers searches; missing until the first one is complete
    write   the same index, to which changes are written
    build   an index that is being filled from the table; changes are written to it too

When Elasticsearch loses its data, it loses the aliases as well, so every process sees that an index
has to be built. The names contain the format of the index (search.fold_and_highlight.FORMAT), so it
is the same with an index of another release: it is outdated, and stays until a new one is complete.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from infra.timeouts import SEARCH_PATIENT_SECONDS
from ingest.records import Key
from search.fold_and_highlight import FORMAT
from search.index.client import client, failures, patient_client


def document_name(key: Key) -> str:
    """A natural key as one word: the document id of a message, or the routing value of a chat.

    Routing by chat keeps a search within a chat on one shard, and spreads an application over all.
    Routed by application, the largest one would be the load of a single shard.
    """
    return "/".join(map(str, key))


class Role(StrEnum):
    """The role of an index."""

    READ = "read"
    WRITE = "write"
    BUILD = "build"


def alias(role: Role) -> str:
    """The alias of the index with this role."""
    return f"{settings.ENVIRONMENT.elasticsearch_index}-{FORMAT}-{role}"


def pattern() -> str:
    """The pattern that matches all indexes and aliases of this installation."""
    return f"{settings.ENVIRONMENT.elasticsearch_index}-*"


@dataclass(frozen=True)
class Target:
    """An index that takes changes: its alias, and its own name."""

    alias: str
    index: str


@dataclass(frozen=True)
class Layout:
    """The name of the index with each role; roles without an index are missing.

    `outdated` are the aliases of other formats, and their indexes.
    """

    by_role: dict[Role, str]
    outdated: dict[str, str]

    @property
    def live(self) -> str | None:
        """The complete index."""
        return self.by_role.get(Role.READ)

    @property
    def build(self) -> str | None:
        """The index that is being built."""
        return self.by_role.get(Role.BUILD)

    @property
    def targets(self) -> list[Target]:
        """The indexes that take changes; empty if there is no index."""
        roles = (Role.WRITE, Role.BUILD)
        return [Target(alias(role), self.by_role[role]) for role in roles if role in self.by_role]


def layout(timeout: float = SEARCH_PATIENT_SECONDS) -> Layout:
    """The current layout, within `timeout` seconds. Raises IndexUnusable."""
    server = client().options(request_timeout=timeout)
    with failures():
        # By pattern, since an unknown name would be an error. Restricted to our own indexes, since
        # any blocked index in the cluster would make Elasticsearch reject the request.
        indexes = server.indices.get_alias(index=pattern(), name=pattern())
    by_alias = {name: index for index, about in indexes.items() for name in about["aliases"]}
    by_role = {role: by_alias.pop(alias(role)) for role in Role if alias(role) in by_alias}
    return Layout(by_role, outdated=by_alias)


def all_indexes() -> set[str]:
    """The names of all indexes of this installation, closed and unused ones included."""
    with failures():
        indexes = patient_client().indices.get(
            index=pattern(), features="settings", expand_wildcards=["open", "closed"]
        )
    return set(indexes)
