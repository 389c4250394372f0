"""The table "Limits of each wait" matches the timeouts module, and the limits are consistent."""

import re
from pathlib import Path

from infra import timeouts

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text()


def table() -> str:
    """A line for each constant: its name, its value, the comment above it."""
    source = Path(timeouts.__file__).read_text()
    found = re.findall(r"^((?:#: .*\n)+)([A-Z_]+) = ", source, re.MULTILINE)
    return "\n".join(
        f"| `{name}` | {getattr(timeouts, name)} | {comment.replace('#: ', '').strip()} |".replace(
            "\n", " "
        )
        for comment, name in found
    )


def test_the_table_is_that_of_the_module() -> None:
    names = [name for name in vars(timeouts) if name.isupper()]

    assert re.findall(r"^\| `([A-Z_]+)`", table(), re.MULTILINE) == names, "without a comment"
    assert table() in PAGE, f"docs/operations.md should say\n{table()}"


def test_who_waits_for_somebody_who_waits_waits_longer() -> None:
    t = timeouts

    assert t.REDIS_CONNECT_SECONDS < t.REDIS_GRACE_SECONDS < t.REQUEST_NUMBER_SECONDS
    assert t.REQUEST_NUMBER_SECONDS < t.REQUEST_TURN_SECONDS
    assert t.DATABASE_CONNECT_SECONDS < t.DATABASE_SILENCE_SECONDS < t.DATABASE_LOCK_SECONDS
    assert t.REDIS_ANSWER_SECONDS < t.DATABASE_IDLE_TRANSACTION_SECONDS
    assert t.DATABASE_IDLE_TRANSACTION_SECONDS < t.DATABASE_LOCK_SECONDS
    assert t.DATABASE_LOCK_SECONDS < t.DATABASE_ANSWER_SECONDS
    assert t.BROKER_IDLE_SECONDS < t.BROKER_HEARTBEAT_SECONDS
    assert t.WEBHOOK_CONNECT_SECONDS < t.WEBHOOK_DELIVERY_SECONDS < t.WEBHOOK_LEASE_SECONDS
    assert t.WEBHOOK_RUN_SECONDS + t.WEBHOOK_DELIVERY_SECONDS < t.WEBHOOK_TASK_SECONDS
    assert t.WEBHOOK_TASK_SECONDS < t.WEBHOOK_TASK_KILL_SECONDS
    assert t.HEALTH_SECONDS < t.HEALTH_PART_SECONDS < t.HEALTH_ESSENTIAL_SECONDS
    request = 2 * t.REQUEST_TURN_SECONDS + t.DATABASE_CONNECT_SECONDS + t.DATABASE_ANSWER_SECONDS
    assert request < t.SERVER_GRACEFUL_SECONDS
