"""Requests and their responses: JSON lines, appended as the responses arrive."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Self

from chaos.client import Answer
from chaos.parent import Row, shown_row
from chaos.requests import Request


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request and its response. Times are in seconds since 1970; `status` 0 means no response.

    `sent`: 2 if the request was resent because a reused connection was closed, else 1. `rows`: the
    rows in the response. `is_repeat`: sent again after the load, with the same key.
    """

    client: int
    request: Request
    sent_at: float
    answered_at: float
    status: int
    sent: int = 1
    retry_after: str | None = None
    is_replayed: bool = False
    is_repeat: bool = False
    rows: tuple[Row, ...] = ()
    problem: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def is_accepted(self) -> bool:
        """Whether this is a successful create."""
        return self.request.creates and self.is_success

    @property
    def number(self) -> int:
        """The first assigned number, or 0."""
        return self.rows[0].number if self.is_accepted else 0


def attempt(
    client: int,
    request: Request,
    answer: Answer,
    times: tuple[float, float],
    *,
    sent: int = 1,
    is_repeat: bool = False,
) -> Attempt:
    """The attempt for a request and its response; `times`: sent, answered."""
    is_success = 200 <= answer.status < 300
    return Attempt(
        client=client,
        request=request,
        sent_at=times[0],
        answered_at=times[1],
        status=answer.status,
        sent=sent,
        retry_after=answer.retry_after,
        is_replayed="idempotency-replayed" in answer.headers,
        is_repeat=is_repeat,
        rows=_rows(answer.document) if is_success else (),
        problem="" if is_success else _problem(answer.document),
    )


class Journal:
    """The attempts of one load in order of response; written to `path` if given."""

    def __init__(self, path: Path | None = None) -> None:
        self._attempts: list[Attempt] = []
        self._lock = Lock()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8") if path else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def append(self, attempt: Attempt) -> None:
        """Append an attempt; thread-safe."""
        line = json.dumps(asdict(attempt), ensure_ascii=False)
        with self._lock:
            self._attempts.append(attempt)
            if self._file:
                self._file.write(f"{line}\n")

    @property
    def attempts(self) -> Sequence[Attempt]:
        """All attempts so far."""
        with self._lock:
            return list(self._attempts)


def _rows(document: Any) -> tuple[Row, ...]:
    shown: Iterable[Any] = document.get("results", [document])
    return tuple(shown_row(one) for one in shown)


def _problem(document: Any) -> str:
    return str(document.get("detail", ""))[:200] if isinstance(document, dict) else ""
