"""What counts as a key, what makes an operator, and which routes are public."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from api.handler import SiteHandler
from applications.models import Application, OperatorKey
from applications.services import make_operator_key
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.api.test_handler import request
from tests.keys.clients import Owner, with_header, with_key

WRONG = {
    "an unknown key": "Bearer " + "0" * 64,
    "another scheme": "Basic dXNlcjpwYXNzd29yZA==",
    "no scheme": "{key}",
    "nothing": "",
    "a scheme alone": "Bearer",
    "no key": "Bearer ",
    "two keys": "Bearer {key} {key}",
    "two headers": "Bearer {key},Bearer {key}",
    "a longer one": "Bearer {key}0",
    "capitals": "Bearer {KEY}",
    "no ASCII": "Bearer é\u00a0{key}",
    "digits of other scripts": "Bearer " + "\u0663" * 64,
    "a line break": "Bearer {key}\n",
    "a NUL": "Bearer {key}\0",
    "too much": "Bearer " + "a" * 1_000_000,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_key_is_a_401(owner: Owner, wrong: str) -> None:
    key = owner.key.replace("0", "a")
    header = WRONG[wrong].format(key=owner.key, KEY=key.upper())

    answer = with_header(header).get(owner.path)

    assert_problem(answer, 401)
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_written_as_one_likes(owner: Owner, scheme: str) -> None:
    assert with_header(f"{scheme} {owner.key}").get(owner.path).status_code == 200


def test_only_operators_create_and_list_applications(owner: Owner, operator: Api) -> None:
    assert_problem(owner.api.get("/applications"), 403)
    assert_problem(owner.api.post("/applications", {"name": "x"}), 403)
    assert_problem(owner.api.post("/applications", b"{"), 403)
    assert_problem(Api().get("/applications"), 401)

    assert operator.get("/applications").status_code == 200
    assert operator.post("/applications", {"name": "x"}).status_code == 201


def test_an_operator_finds_that_an_application_does_not_exist(operator: Api) -> None:
    assert_problem(operator.get("/applications/" + "0" * 24), 404)


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/ready", "/api/v1/schema", "/api/v1/docs"]
)
@pytest.mark.parametrize("header", ["", "Bearer wrong"])
@pytest.mark.django_db
def test_health_and_description_are_open(path: str, header: str) -> None:
    headers = {"Authorization": header} if header else {}

    assert Client(headers=headers).get(path).status_code == 200


def test_an_unknown_address_needs_no_key(api: Api) -> None:
    assert_problem(api.get("/nothing"), 404)


def test_keys_that_are_not_required_are_made_and_then_ignored(api: Api, settings: Settings) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"require_keys": False})
    created = api.post("/applications", {"name": "x"}).json()
    path = f"/applications/{created['token']}"

    assert len(created["key"]) == 64
    assert with_header("Bearer wrong").get(path).status_code == 200
    assert api.get("/applications").status_code == 200
    assert len(api.post(f"{path}/key").json()["key"]) == 64


def test_a_key_is_stored_as_its_hash_alone_and_shown_once(owner: Owner, operator: Api) -> None:
    operator_key = make_operator_key(name="second")
    rows = [
        *Application.objects.values_list(),
        *OperatorKey.objects.values_list(),
    ]
    assert owner.key not in str(rows)
    assert operator_key not in str(rows)

    hashes = [value for row in rows for value in row if len(str(value)) == 64]
    assert len(hashes) == 3
    for path in (owner.path, "/applications", f"{owner.path}/chats"):
        shown = operator.get(path).content.decode()
        assert "key" not in shown
        assert not [secret for secret in (*hashes, owner.key) if str(secret) in shown]
    renamed = owner.api.put(owner.path, {"name": "new"})
    assert "key" not in renamed.json()


def test_no_key_gets_into_a_log(
    owner: Owner, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise ValueError("unexpected")

    monkeypatch.setattr("applications.services.get_application", fail)
    caplog.set_level("DEBUG")

    assert owner.api.get(owner.path).status_code == 500
    key = owner.api.post(f"{owner.path}/key").json()["key"]
    with_key("1" * 64).get(owner.path)

    said = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    assert "unexpected" in said
    # The hash alone: statements are logged at this level.
    assert not [secret for secret in (owner.key, key, "1" * 64) if secret in said]


@pytest.fixture
def staff(db: None) -> User:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__model="application"))
    return user


def session_of(user: User, *, csrf: bool = False) -> Api:
    client = Client(enforce_csrf_checks=csrf, raise_request_exception=False)
    client.force_login(user)
    return Api(client=client)


def test_a_login_of_the_staff_opens_what_it_may(staff: User, owner: Owner) -> None:
    api = session_of(staff)

    assert api.get("/applications").status_code == 200
    assert api.post("/applications", {"name": "x"}).status_code == 201
    assert api.get(owner.path).status_code == 200


def test_another_login_is_none(staff: User, owner: Owner) -> None:
    api = session_of(staff)
    User.objects.update(is_staff=False)
    assert_problem(api.get(owner.path), 401)

    User.objects.update(is_staff=True, is_active=False)
    assert_problem(api.get(owner.path), 401)

    User.objects.update(is_active=True)
    api.client.cookies["sessionid"] = "0" * 32
    assert_problem(api.get(owner.path), 401)


def test_a_key_counts_more_than_a_login(staff: User, owner: Owner, stranger: Owner) -> None:
    client = session_of(staff).client
    for header, status in ((f"Bearer {stranger.key}", 404), ("Bearer wrong", 401), ("", 401)):
        answer = client.get(f"/api/v1{owner.path}", headers={"Authorization": header})
        assert_problem(answer, status)


def test_what_changes_something_by_a_login_needs_the_token_of_its_pages(
    staff: User, owner: Owner
) -> None:
    api = session_of(staff, csrf=True)
    form = b"name=forged&csrfmiddlewaretoken=" + b"x" * 32
    assert api.get(owner.path).status_code == 200
    assert_problem(api.put(owner.path, {"name": "forged"}), 403)
    assert_problem(api.post("/applications", {"name": "forged"}), 403)
    assert_problem(
        api.post("/applications", form, content_type="application/x-www-form-urlencoded"), 403
    )
    assert_problem(api.post("/applications", b"{"), 403)

    api.client.get("/admin/")
    token = {"X-CSRFToken": api.client.cookies["csrftoken"].value}

    assert api.put(owner.path, {"name": "meant"}, **token).status_code == 200
    assert api.post("/applications", {"name": "meant"}, **token).status_code == 201
    assert_problem(api.post("/applications", b"{", **token), 400)


def test_what_is_tried_out_on_the_page_of_the_api_has_its_token(
    transactional_db: None, staff: User
) -> None:
    admin = session_of(staff).client
    admin.get("/admin/")
    cookies = {name: cookie.value for name, cookie in admin.cookies.items()}
    # As it is served: without the middleware of pages, which a test client goes through.
    site = SiteHandler()
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    docs = request("GET", PATH_INFO="/api/v1/docs", QUERY_STRING="script=", HTTP_COOKIE=cookie)
    script = site.response(docs).body.decode()
    [(_, token)] = re.findall(r'headers\["(X-CSRFTOKEN)"\] = "(\w+)"', script)

    answer = site.response(
        request(
            "POST",
            b'{"name": "tried out"}',
            PATH_INFO="/api/v1/applications",
            HTTP_COOKIE=cookie,
            HTTP_X_CSRFTOKEN=token,
        )
    )

    assert answer.status == 201, answer.body
