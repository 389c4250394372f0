"""A separate process that queues 199 valid messages and an invalid one among them.

python -m tests.faults.publish TOKEN CHAT_NUMBER BAD_TOKEN
"""

import os
import sys

import django


def publish(token: str, chat_number: int, bad_token: str) -> None:
    """One task message of 200 rows, in the queue `messages`."""
    # The applications are to be loaded first.
    from infra.rabbitmq.publisher import Publisher  # noqa: PLC0415
    from ingest.message_format import write_message  # noqa: PLC0415
    from tests.rows import new_message  # noqa: PLC0415

    rows = [
        new_message(token, chat_number, f"message {number}").numbered(number)
        for number in range(1, 200)
    ]
    bad = new_message(bad_token, 1, "longer a token than its column").numbered(1)
    Publisher().publish("messages", *write_message([*rows[:100], bad, *rows[100:]]))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")
    django.setup()
    publish(sys.argv[1], int(sys.argv[2]), sys.argv[3])
