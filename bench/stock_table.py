"""The table of messages that the baselines have; there are no migrations."""

# The product's columns as far as these designs have them, with the same unique key.
_CREATE = """
CREATE TABLE {table} (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  application_token varchar(24) NOT NULL,
  chat_number bigint unsigned NOT NULL,
  message_number bigint unsigned NOT NULL,
  body longtext NOT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NOT NULL,
  UNIQUE KEY (application_token, chat_number, message_number)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
"""


def create_table(table: str) -> str:
    """The statement that makes it."""
    return _CREATE.format(table=table)
