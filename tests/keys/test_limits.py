"""With required keys, rate limits belong to the application, whichever key it uses."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from api.rate_limits.limiter import limiter
from tests.keys.clients import Owner, with_key


@pytest.fixture(autouse=True)
def three_an_hour(owner: Owner, stranger: Owner, settings: Settings) -> Iterator[None]:
    """From when both exist."""
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"rate_limit": "3/h"})
    yield
    limiter.cache_clear()


def test_an_application_does_not_use_up_what_another_may_send(
    owner: Owner, stranger: Owner
) -> None:
    for one in (owner, stranger):
        assert [one.api.get(one.path).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_new_key_is_no_new_limit(owner: Owner) -> None:
    owner.api.get(owner.path)
    key = owner.api.post(f"{owner.path}/key").json()["key"]

    renewed = with_key(key)

    assert [renewed.get(owner.path).status_code for _ in range(2)] == [200, 429]


def test_wrong_keys_are_limited_and_do_not_shut_out_the_right_one(owner: Owner) -> None:
    guess = with_key("0" * 64)

    assert [guess.get(owner.path).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert owner.api.get(owner.path).status_code == 200


def test_asking_for_what_is_anothers_counts_for_who_asks(owner: Owner, stranger: Owner) -> None:
    codes = [owner.api.get(stranger.path).status_code for _ in range(4)]

    assert codes == [404, 404, 404, 429]
    assert stranger.api.get(stranger.path)["RateLimit-Remaining"] == "2"
