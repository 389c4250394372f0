"""Key commands print the key alone on the last line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from applications.services import create_application
from ingest.fields import MAX_NAME_CHARACTERS
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.api.test_errors import UNKNOWN
from tests.keys.clients import Owner, with_key


def printed(*command: str) -> str:
    """The last line."""
    stdout = StringIO()
    call_command(*command, stdout=stdout)
    return stdout.getvalue().splitlines()[-1]


def test_an_application_without_a_key_gets_one(db: None) -> None:
    token = create_application(name="imported").token

    key = printed("application_key", token)

    assert with_key(key).get(f"/applications/{token}").status_code == 200


def test_an_application_with_a_key_keeps_it_unless_it_is_to_be_replaced(owner: Owner) -> None:
    with pytest.raises(CommandError, match="--rotate replaces it"):
        printed("application_key", owner.token)
    assert owner.api.get(owner.path).status_code == 200

    key = printed("application_key", owner.token, "--rotate")

    assert_problem(owner.api.get(owner.path), 401)
    assert with_key(key).get(owner.path).status_code == 200


@pytest.mark.parametrize("options", [[], ["--rotate"]])
def test_an_unknown_application_gets_no_key(db: None, options: list[str]) -> None:
    with pytest.raises(CommandError, match="no such application"):
        printed("application_key", UNKNOWN, *options)


def test_each_operator_has_a_key_and_a_second_one_replaces_the_first(owner: Owner) -> None:
    first, other = printed("operator_key", "Ann"), printed("operator_key", "Bob")

    second = printed("operator_key", "Ann")

    assert_problem(with_key(first).get("/applications"), 401)
    for key in (second, other):
        assert with_key(key).get("/applications").status_code == 200
        assert with_key(key).get(owner.path).status_code == 200


def test_a_revoked_operator_opens_nothing(owner: Owner) -> None:
    revoked, other = printed("operator_key", "Ann"), printed("operator_key", "Bob")
    assert with_key(revoked).get("/applications").status_code == 200

    assert printed("operator_key", "Ann", "--revoke") == "revoked: Ann"

    assert_problem(with_key(revoked).get("/applications"), 401)
    assert with_key(other).get("/applications").status_code == 200
    with pytest.raises(CommandError, match="no key of Ann"):
        printed("operator_key", "Ann", "--revoke")


@pytest.mark.parametrize("name", ["", " ", "x" * (MAX_NAME_CHARACTERS + 1)])
def test_an_operator_has_a_name(operator: Api, name: str) -> None:
    with pytest.raises(CommandError, match="name"):
        printed("operator_key", name)
