"""A hanging service does not block the health probes of the others."""

from threading import Event

import pytest

from operations import health


def test_a_part_that_hangs_is_the_only_one_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    comes_back = Event()

    def hang() -> None:
        comes_back.wait(30)

    parts = {"hangs": hang, "well": lambda: None}
    monkeypatch.setattr(health, "probes", lambda: parts)
    monkeypatch.setattr(health, "HEALTH_SECONDS", 0.05)
    try:
        for _ in range(12):  # more than there are threads
            answer = health.probe_parts()
            assert answer["hangs"] == {"status": "failing"}
    finally:
        comes_back.set()

    assert answer["well"] == {"status": "ok"}
