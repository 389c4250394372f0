"""The other designs as data.

- textbook: DRF view and serializer, a number by Redis' INCR, one Celery task a row with a confirm.
  It checks less than the product (not even that the chat exists), so it is the faster for it.
- textbook_indexed: the same, and the task also writes the message's document, as the product's
  messages become searchable.
- sync: DRF view and serializer; one transaction locks the chat's row, numbers and inserts.
- noop_django, noop_drf: views that answer and do nothing else, on the event loop of the product's
  own server, as its creates and reads.
- stock_item, stock_list, stock_search, stock_edit: DRF's generic views over the product's table,
  and a search by django-elasticsearch-dsl in an index of their own, filled from the same rows.
- stock_mixed: all of these, with the create of textbook_indexed, since it searches. It adds rows
  to a table of its own: numbers in the product's are for the product to give.
"""

from collections.abc import Sequence
from dataclasses import dataclass

#: An application and a chat that need not exist in the product.
TOKEN, NUMBER = "0123456789abcdef01234567", 1
MESSAGES_PATH = f"/api/v1/applications/{TOKEN}/chats/{NUMBER}/messages"

# The product's columns as far as these designs have them, with the same unique key. The ids are far
# above those of the product, whose documents stock_mixed has in the same index.
_MESSAGES = """CREATE TABLE {}_messages (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  application_token varchar(24) NOT NULL,
  chat_number bigint unsigned NOT NULL,
  message_number bigint unsigned NOT NULL,
  body longtext NOT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NOT NULL,
  UNIQUE KEY (application_token, chat_number, message_number)
) AUTO_INCREMENT=1000000000000 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""
_CHATS = """CREATE TABLE {}_chats (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  application_token varchar(24) NOT NULL,
  chat_number bigint unsigned NOT NULL,
  messages_count bigint unsigned NOT NULL,
  UNIQUE KEY (application_token, chat_number)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""
_CHAT = f"INSERT INTO {{}}_chats VALUES (1, '{TOKEN}', {NUMBER}, 0)"  # noqa: S608 - constants


@dataclass(frozen=True)
class Design:
    """A design; its tables, queue, index and keys in Redis begin with its name.

    `has_threads`: its views wait for services, so they run in threads.
    """

    name: str
    tables: Sequence[str] = ()
    has_worker: bool = False
    has_index: bool = False
    has_threads: bool = True


TEXTBOOK = Design("textbook", tables=(_MESSAGES,), has_worker=True)
TEXTBOOK_INDEXED = Design("textbook_indexed", tables=(_MESSAGES,), has_worker=True, has_index=True)
SYNC = Design("sync", tables=(_MESSAGES, _CHATS, _CHAT))
NOOP_DJANGO = Design("noop_django", has_threads=False)
NOOP_DRF = Design("noop_drf", has_threads=False)
STOCK_ITEM = Design("stock_item")
STOCK_LIST = Design("stock_list")
STOCK_SEARCH = Design("stock_search", has_index=True)
STOCK_EDIT = Design("stock_edit")
STOCK_MIXED = Design("stock_mixed", tables=(_MESSAGES,), has_worker=True, has_index=True)

#: Those that create messages.
CREATORS = (TEXTBOOK_INDEXED, TEXTBOOK, SYNC, NOOP_DJANGO, NOOP_DRF)
