"""The life of an index: created, filled, made live in place of the old one, removed."""

from django.conf import settings

from search.errors import NoIndex
from search.index.client import failures, patient_client
from search.index.documents import REFRESH_INTERVAL, MessageDocument
from search.index.layout import Layout, Role, alias, all_indexes, layout

_COPIED = "copied_up_to"


def create(name: str) -> None:
    """Create an empty build index, which no search reads yet. Raises IndexUnusable."""
    index = MessageDocument._index.clone(name=name)
    index.settings(
        number_of_shards=settings.ENVIRONMENT.elasticsearch_shards,
        # No search reads it yet, and larger segments cost less.
        refresh_interval="30s",
    )
    index.aliases(**{alias(Role.BUILD): {}})
    with failures():
        index.create(using=patient_client())


def copied_up_to(index: str) -> int:
    """The id of the last row copied into this index, 0 at first. Raises IndexUnusable."""
    with failures():
        about = patient_client().indices.get_mapping(index=index)[index]["mappings"]
    return int(about.get("_meta", {}).get(_COPIED, 0))


def save_position(index: str, row_id: int) -> None:
    """Store in the index that rows up to this id are copied. Raises IndexUnusable."""
    with failures():
        patient_client().indices.put_mapping(index=index, meta={_COPIED: row_id})


def make_live(index: str) -> None:
    """Search and write this index, and no other, from now on. Raises IndexUnusable."""
    with failures():
        indices = patient_client().indices
        indices.put_settings(index=index, settings={"refresh_interval": REFRESH_INTERVAL})
        indices.refresh(index=index)
        before = layout()
        if before.build != index:
            raise NoIndex(f"{index} is no longer being built")
        indices.update_aliases(actions=_alias_actions(index, before))


def _alias_actions(index: str, before: Layout) -> list[dict[str, dict[str, str]]]:
    """Elasticsearch applies them all in one step, or none."""
    aliases = {alias(role): old for role, old in before.by_role.items()} | before.outdated
    actions = [{"remove": {"index": old, "alias": name}} for name, old in aliases.items()]
    return [
        *actions,
        {"add": {"index": index, "alias": alias(Role.WRITE)}},
        {"add": {"index": index, "alias": alias(Role.READ)}},
    ]


def remove_unused() -> None:
    """Remove every index of this installation that has no alias. Raises IndexUnusable."""
    found = layout()
    for index in all_indexes() - {*found.by_role.values(), *found.outdated.values()}:
        remove(index)


def remove(index: str) -> None:
    """Remove this index, if it is there. Raises IndexUnusable."""
    with failures():
        patient_client().options(ignore_status=404).indices.delete(index=index)
