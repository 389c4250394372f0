"""While the database is down, keys are checked in Redis if its data can be trusted."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.views import ApiView
from applications import key_holders
from applications.authentication import forget_identities, hash_of
from applications.key_holders import remember_holders
from applications.services import revoke_operator_key, rotate_key
from infra import database
from infra.redis_client import server_of
from ingest import redis_keys
from ingest.models import NumberAuthority, Source
from ingest.numbering.authority import begin_epoch, read_authorities, read_authority
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.keys.clients import Owner, new_owner, with_key
from tests.redis_cluster import RedisCluster
from tests.redis_server import RedisServer
from tests.shards import ONLY


@pytest.fixture
def owner(redis_server: RedisServer, transactional_db: None, operator: Api) -> Owner:
    """An application whose key was made, and never used, with Redis there."""
    read_authority(ONLY)
    return new_owner(operator)


@contextmanager
def no_database() -> Iterator[None]:
    """All who look up keys take the database for away, and nothing is remembered.

    The views do not, so that their answers tell what the key opens.
    """
    forget_identities()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database.database_breaker(), "is_open", True)
        patch.setattr(ApiView, "database_methods", ())
        yield
    forget_identities()


def test_a_key_that_was_just_made_works(owner: Owner, operator: Api) -> None:
    with no_database():
        assert owner.api.get(owner.path).status_code == 200


def test_keys_of_all_shards_work(
    redis_cluster: RedisCluster, transactional_db: None, operator: Api
) -> None:
    read_authorities()
    owners = [new_owner(operator) for _ in range(5)]
    with no_database():
        assert {owner.api.get(owner.path).status_code for owner in owners} == {200}


def test_an_operator_is_one(owner: Owner, operator: Api) -> None:
    with no_database():
        assert operator.get("/applications").status_code == 200


def test_an_operator_whose_key_was_revoked_is_refused(owner: Owner, operator: Api) -> None:
    assert revoke_operator_key(name="ops")
    with no_database():
        assert_problem(operator.get("/applications"), 401)


def test_a_key_opens_no_other_application(owner: Owner, operator: Api) -> None:
    other = new_owner(operator)
    with no_database():
        assert_problem(other.api.get(owner.path), 404)


def test_a_key_that_redis_does_not_know_may_be_good_all_the_same(owner: Owner) -> None:
    with no_database():
        answer = with_key("1" * 64).get(owner.path)

        assert_problem(answer, 503)
        assert answer["Retry-After"]


def test_a_key_that_was_replaced_is_refused(owner: Owner) -> None:
    new = with_key(rotate_key(token=owner.token))
    with no_database():
        assert_problem(owner.api.get(owner.path), 401)
        assert new.get(owner.path).status_code == 200


def test_who_read_the_old_key_before_and_tells_redis_late_does_not_revive_it(owner: Owner) -> None:
    epoch = read_authority(ONLY).epoch
    rotate_key(token=owner.token)

    remember_holders({hash_of(owner.key): owner.token}, epoch)

    with no_database():
        assert_problem(owner.api.get(owner.path), 401)


def test_what_was_read_in_an_earlier_epoch_counts_no_more(owner: Owner, operator: Api) -> None:
    begin_epoch(NumberAuthority.objects.get(), Source.REDIS, "a test")
    forget_identities()
    operator.get("/applications")  # by which this process learns of the epoch
    with no_database():
        assert operator.get("/applications").status_code == 200
        assert_problem(owner.api.get(owner.path), 503)

    assert owner.api.get(owner.path).status_code == 200

    with no_database():
        assert owner.api.get(owner.path).status_code == 200


def test_redis_itself_may_know_of_a_later_epoch(owner: Owner, redis_server: RedisServer) -> None:
    redis_server.client().set(redis_keys.epoch(ONLY), read_authority(ONLY).epoch + 1)

    with no_database():
        assert_problem(owner.api.get(owner.path), 503)


def test_use_writes_an_entry_anew(owner: Owner, redis_server: RedisServer) -> None:
    redis_server.wipe_at_once()
    server_of(ONLY).breaker.is_open = False
    forget_identities()
    assert owner.api.get(owner.path).status_code == 200

    with no_database():
        assert owner.api.get(owner.path).status_code == 200


def test_every_entry_expires(owner: Owner, redis_server: RedisServer) -> None:
    rotate_key(token=owner.token)
    entry, revoked = (
        redis_keys.key_holder(hash_of(owner.key)),
        redis_keys.revoked_key(hash_of(owner.key)),
    )
    server = redis_server.client()

    kept, refused = server.ttl(entry), server.ttl(revoked)

    assert 0 < kept <= key_holders.KEPT_FOR.total_seconds() < refused


def test_a_key_replaced_while_redis_is_away_opens_nothing_when_it_is_back(
    owner: Owner, redis_server: RedisServer, operator: Api
) -> None:
    before = NumberAuthority.objects.get()
    redis_server.kill()

    new = with_key(rotate_key(token=owner.token))

    after = NumberAuthority.objects.get()
    assert (after.epoch, after.source) == (before.epoch + 1, before.source)
    assert "key" in after.reason
    assert new.get(owner.path).status_code == 200
    redis_server.start()
    server_of(ONLY).breaker.is_open = False
    with no_database():
        # Redis holds the old entry, of an epoch that is over.
        assert_problem(owner.api.get(owner.path), 503)
    assert new.get(owner.path).status_code == 200
    with no_database():
        assert new.get(owner.path).status_code == 200


def test_where_both_are_away_it_is_a_503(owner: Owner, redis_server: RedisServer) -> None:
    redis_server.kill()
    with no_database():
        assert_problem(owner.api.get(owner.path), 503)
