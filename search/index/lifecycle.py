"""The life of an index: made to be built, filled, put in the place of the one before, removed."""

from django.conf import settings

from search.errors import NoIndex
from search.index.client import failures, patient_client
from search.index.documents import REFRESH_INTERVAL, MessageDocument
from search.index.layout import Layout, Role, alias, all_indexes, layout

_COPIED = "copied_up_to"


def create(name: str) -> None:
    """Make an empty index to be built; nobody searches it yet. Raises IndexUnusable."""
    index = MessageDocument._index.clone(name=name)
    index.settings(
        number_of_shards=settings.ENVIRONMENT.elasticsearch_shards,
        # Nobody looks into it yet, and larger segments are cheaper.
        refresh_interval="30s",
    )
    index.aliases(**{alias(Role.BUILD): {}})
    with failures():
        index.create(using=patient_client())


def copied_up_to(index: str) -> int:
    """The id of the last row that the copy has brought here. Raises IndexUnusable."""
    with failures():
        about = patient_client().indices.get_mapping(index=index)[index]["mappings"]
    return int(about.get("_meta", {}).get(_COPIED, 0))


def keep_position(index: str, row_id: int) -> None:
    """Remember it there. Raises IndexUnusable."""
    with failures():
        patient_client().indices.put_mapping(index=index, meta={_COPIED: row_id})


def put_in_place(index: str) -> None:
    """From now on this index is searched and written, and it alone. Raises IndexUnusable."""
    with failures():
        indices = patient_client().indices
        indices.put_settings(index=index, settings={"refresh_interval": REFRESH_INTERVAL})
        indices.refresh(index=index)
        before = layout()
        if before.build != index:
            raise NoIndex(f"{index} is not being built any more")
        indices.update_aliases(actions=_take_over(index, before))


def _take_over(index: str, before: Layout) -> list[dict[str, dict[str, str]]]:
    """All of it in one step, or nothing."""
    actions = [
        {"remove": {"index": old, "alias": alias(role)}} for role, old in before.by_role.items()
    ]
    return [
        *actions,
        {"add": {"index": index, "alias": alias(Role.WRITE)}},
        {"add": {"index": index, "alias": alias(Role.READ)}},
    ]


def clear_away() -> None:
    """Remove every index of this installation that has no role. Raises IndexUnusable."""
    for index in all_indexes() - set(layout().by_role.values()):
        remove(index)


def remove(index: str) -> None:
    """Remove this index, if it is there. Raises IndexUnusable."""
    with failures():
        patient_client().options(ignore_status=404).indices.delete(index=index)
