"""The tokens of the applications that imports create, given before any row is stored under them.

A token decides where the rows of an application lie. It is committed first, so a batch whose
storing fails, or a rival run, finds it again and does not create the application twice.
"""

from collections.abc import Mapping

from applications.models import new_token
from conversations.models import ImportedApplication


def application_tokens(names: Mapping[str, str]) -> dict[str, str]:
    """The token for each of these keys, which have the names of their applications.

    Missing ones are given in the caller's transaction. Raises IntegrityError if another import
    gives one at the same time.
    """
    rows = ImportedApplication.objects.filter(key__in=names)
    tokens = {row.key: row.application_token for row in rows}
    # In a fixed order, so that two imports that name the same applications cannot deadlock.
    new = [
        ImportedApplication(key=key, name=names[key], application_token=new_token())
        for key in sorted(names.keys() - tokens.keys())
    ]
    ImportedApplication.objects.bulk_create(new)
    return tokens | {row.key: row.application_token for row in new}
