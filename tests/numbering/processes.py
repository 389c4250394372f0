"""Simulated processes that take numbers within the test's process and record them."""

from collections.abc import Sequence
from typing import Self

from ingest.commit import Committer
from ingest.idempotency import IdempotentRequest
from ingest.records import NewRow, NumberedRow
from ingest.submission import Submission
from tests.rows import new_chat, new_message


class Process:
    """A pipeline with its agent, which signs off at the end or is stopped by `kill`."""

    def __init__(self) -> None:
        self.pipeline = Committer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def chats(self, token: str, count: int = 1) -> list[int]:
        """The numbers of `count` new chats."""
        return self.numbers(*(new_chat(token, "c") for _ in range(count)))

    def messages(self, token: str, chat_number: int, count: int = 1) -> list[int]:
        """The numbers of `count` new messages."""
        return self.numbers(*(new_message(token, chat_number, "m") for _ in range(count)))

    def numbers_of_each(self, tokens: Sequence[str]) -> list[int]:
        """The number of a new chat of each application."""
        return self.numbers(*(new_chat(token, "c") for token in tokens))

    def number_of_request(self, request: IdempotentRequest, token: str) -> int:
        """The number of the chat that this request makes, or has made."""
        [outcome] = self.pipeline.commit([Submission([new_chat(token, "c")], request)])
        return number_of(outcome if isinstance(outcome, Exception) else outcome[0])

    def numbers(self, *rows: NewRow) -> list[int]:
        """The number of each row. Raises the first error."""
        return [number_of(outcome) for outcome in self.commit(rows)]

    def commit(self, rows: Sequence[NewRow]) -> list[NumberedRow | Exception]:
        """The outcome of each row, committed as one group of single-row requests."""
        outcomes = self.pipeline.commit([Submission([row]) for row in rows])
        return [one if isinstance(one, Exception) else one[0] for one in outcomes]

    def end(self) -> None:
        """End as after SIGTERM."""
        self.pipeline._agent.end()

    def kill(self) -> None:
        """End as after SIGKILL, without signing off."""
        self.pipeline._agent.stop()


def number_of(outcome: NumberedRow | Exception) -> int:
    """The row's number. Raises the outcome if it is an error."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.number
