"""The routes of webhooks: the contract, and inputs of any kind."""

from typing import Any

import pytest

from events.models import ApplicationEvent
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.webhooks.conftest import row, subscribe
from tests.webhooks.receiver import Receiver
from webhooks import services
from webhooks.models import Webhook
from webhooks.runner import run

URL = "https://hooks.example.org/chat"
UNKNOWN = "0" * 24


@pytest.fixture
def webhook(api: Api, application: str) -> Any:
    """A webhook that nothing is sent to."""
    return subscribe(api, application, URL, is_active=False)


@pytest.fixture
def path(application: str, webhook: Any) -> str:
    return f"{application}/webhooks/{webhook['id']}"


def test_a_new_webhook_shows_its_secret_once(api: Api, application: str) -> None:
    answer = api.post(f"{application}/webhooks", {"url": URL})

    made = answer.json()
    assert made.pop("secret").startswith("whsec_")
    assert made == {
        "id": made["id"],
        "application_token": application.split("/")[2],
        "url": URL,
        "types": None,
        "chat_number": None,
        "is_active": True,
        "state": "ok",
        "position": "1",
        "failing_since": None,
        "last_attempt_at": None,
        "last_outcome": None,
        "last_status": None,
        "created_at": made["created_at"],
    }
    shown = api.get(answer["Location"])
    assert (shown.json(), shown["ETag"]) == (made, answer["ETag"])
    assert api.get(f"{application}/webhooks").json()["results"] == [made]


def test_secrets_differ(api: Api, application: str) -> None:
    secrets = {subscribe(api, application, URL)["secret"] for _ in range(5)}
    path = f"{application}/webhooks/{Webhook.objects.latest('pk').webhook_id}"
    secrets |= {api.post(f"{path}/secret").json()["secret"] for _ in range(5)}

    assert len(secrets) == 10


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (None, "type"),
        (7, "type"),
        (["https://x.example"], "type"),
        ("", "invalid"),
        ("hooks.example.org", "scheme"),
        ("ftp://hooks.example.org", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("https:///path", "host"),
        ("https://", "host"),
        ("https://?x", "host"),
        ("https://user@hooks.example.org/", "credentials"),
        ("https://user:password@hooks.example.org/", "credentials"),
        ("https://hooks.example.org@10.0.0.1/", "credentials"),
        ("https://hooks.example.org/#fragment", "fragment"),
        ("https://hooks.example.org/#", "fragment"),
        ("https://hooks.example.org:0/", "host"),
        ("https://hooks.example.org:65536/", "invalid"),
        ("https://hooks.example.org:x/", "invalid"),
        ("https://hooks.example.org\\@10.0.0.1/", "invalid"),
        ("https://hooks.example.org/ x", "invalid"),
        ("https://hooks.example.org/\r\nX-Evil: 1", "invalid"),
        ("https://hooks.example.org/\0", "invalid"),
        ("https://höoks.example/", "invalid"),
        ("https://hooks.example.org/ü", "invalid"),
        ("https://hooks%2eexample.org/", "host"),
        ("https://[::1/", "invalid"),
        ("https://[v1.x]/", "host"),
        ("https://[fe80::1%25eth0]/", "host"),
        ("https://-hooks.example/", "host"),
        ("https://10.0.0.1/", "address"),
        ("https://169.254.169.254/latest/meta-data", "address"),
        ("https://[::ffff:10.0.0.1]/", "address"),
        ("https://[fd00:ec2::254]/", "address"),
        ("http://93.184.215.14/", "address"),
        ("https://hooks.example.org/" + "x" * 2048, "max_length"),
    ],
)
def test_urls_that_are_refused(
    api: Api, application: str, path: str, url: object, code: str
) -> None:
    for answer in (
        api.post(f"{application}/webhooks", {"url": url}),
        api.patch(path, {"url": url}),
    ):
        problem = assert_problem(answer, 400)
        assert [(one["field"], one["code"]) for one in problem["errors"]] == [("url", code)]
    assert Webhook.objects.count() == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org",
        "HTTPS://Hooks.Example.ORG/Path?query=%20&x=y",
        "https://hooks.example.org:8443/a/../b;c",
        "https://xn--hks-qlaa.example./",
        "https://[2606:4700::1111]/",
        "https://93.184.215.14/",
        "http://127.0.0.1:8000/",
        "https://a_b.example/",
        "https://hooks.example.org/" + "x" * 2022,
    ],
)
def test_urls_that_are_taken_are_kept_as_they_are(api: Api, application: str, url: str) -> None:
    assert subscribe(api, application, url)["url"] == url


def test_http_needs_a_network_that_is_allowed(api: Api, application: str, settings: Any) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"webhook_allowed_networks": ""})

    problem = assert_problem(
        api.post(f"{application}/webhooks", {"url": "http://hooks.example.org"}), 400
    )

    assert problem["errors"][0]["code"] == "scheme"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("types", []),
        ("types", "message.created"),
        ("types", ["message.deleted"]),
        ("types", [None]),
        ("types", [[]]),
        ("types", [{}]),
        ("types", {"message.created": True}),
        ("types", ["message.created"] * 1000 + ["x"]),
        ("chat_number", 0),
        ("chat_number", -1),
        ("chat_number", "1"),
        ("chat_number", 1.0),
        ("chat_number", True),
        ("chat_number", 10**18),
        ("is_active", None),
        ("is_active", 1),
        ("is_active", "true"),
    ],
)
def test_fields_that_are_refused(
    api: Api, application: str, path: str, field: str, value: object
) -> None:
    for answer in (
        api.post(f"{application}/webhooks", {"url": URL, field: value}),
        api.patch(path, {field: value}),
    ):
        problem = assert_problem(answer, 400)
        assert [one["field"] for one in problem["errors"]] == [field]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"7", b"\xff", b"[" * 100_000, b"{}", b'{"x":1}']
)
def test_bodies_that_are_refused(api: Api, application: str, path: str, body: bytes) -> None:
    assert_problem(api.post(f"{application}/webhooks", body), 400)
    assert_problem(api.patch(path, body), 400)
    assert_problem(api.post(f"{path}/replay", body), 400)


def test_all_that_is_wrong_is_told_at_once(api: Api, application: str) -> None:
    problem = assert_problem(
        api.post(f"{application}/webhooks", {"is_active": 1, "types": 1, "url": 1}), 400
    )

    assert [one["field"] for one in problem["errors"]] == ["url", "types", "is_active"]


@pytest.mark.parametrize(
    "after", [None, -1, 1.5, True, "x", "01", "1.0", [], {}, "9" * 19, 10**18, "٣", ""]
)
def test_positions_that_are_refused(api: Api, application: str, path: str, after: object) -> None:
    problem = assert_problem(api.post(f"{path}/replay", {"after": after}), 400)
    assert [one["field"] for one in problem["errors"]] == ["after"]
    if after is not None:
        assert_problem(api.post(f"{application}/webhooks", {"url": URL, "after": after}), 400)


def test_a_position_must_be_in_the_log(api: Api, application: str, path: str) -> None:
    api.say(f"{application}/chats/1", "x", "y")
    ApplicationEvent.objects.filter(event_number=1).delete()
    for address, body in ((f"{application}/webhooks", {"url": URL}), (f"{path}/replay", {})):
        assert api.post(address, {**body, "after": 4}).status_code == 400
        gone = api.post(address, {**body, "after": "0"})
        assert (gone.status_code, gone.json()["lowest_event_number"]) == (410, 2)
        assert api.post(address, {**body, "after": "1"}).status_code in (201, 202)
        assert api.post(address, {**body, "after": 3}).status_code in (201, 202)


def test_a_change_changes_what_it_names_alone(api: Api, path: str) -> None:
    before = api.get(path).json()

    answer = api.patch(path, {"types": ["message.erased", "chat.created"], "chat_number": 7})

    expected = {**before, "types": ["chat.created", "message.erased"], "chat_number": 7}
    assert answer.json() == expected == api.get(path).json()
    back = api.patch(path, {"types": None, "chat_number": None}).json()
    assert back == before


def test_conditions_hold(api: Api, path: str) -> None:
    tag = api.get(path)["ETag"]
    assert api.client.get(f"/api/v1{path}", headers={"If-None-Match": tag}).status_code == 304
    changed = api.patch(path, {"chat_number": 1}, **{"If-Match": tag})
    assert (changed.status_code, changed["ETag"] == tag) == (200, False)

    assert_problem(api.patch(path, {"chat_number": 2}, **{"If-Match": tag}), 412)
    assert_problem(api.delete(path, **{"If-Match": tag}), 412)
    assert api.get(path).json()["chat_number"] == 1
    assert api.delete(path, **{"If-Match": changed["ETag"]}).status_code == 204


def test_the_tag_changes_with_each_delivery(api: Api, application: str, hook: Receiver) -> None:
    made = subscribe(api, application, hook.url)
    path = f"{application}/webhooks/{made['id']}"
    tag = api.get(path)["ETag"]

    run()

    assert api.get(path)["ETag"] != tag


def test_a_deleted_webhook_is_gone(api: Api, application: str, path: str, hook: Receiver) -> None:
    api.patch(path, {"is_active": True, "url": hook.url})
    assert api.delete(path).status_code == 204

    run()

    assert not hook.received
    for answer in (
        api.get(path),
        api.patch(path, {"is_active": True}),
        api.delete(path),
        api.post(f"{path}/secret"),
        api.post(f"{path}/test"),
        api.post(f"{path}/replay", {"after": 0}),
    ):
        assert_problem(answer, 404)
    assert api.get(f"{application}/webhooks").json()["results"] == []


def test_a_webhook_is_found_below_its_application_alone(api: Api, webhook: Any) -> None:
    for other in (api.new_application(), f"/applications/{UNKNOWN}"):
        path = f"{other}/webhooks/{webhook['id']}"
        assert_problem(api.get(path), 404)
        assert_problem(api.patch(path, {"is_active": True}), 404)
        assert_problem(api.delete(path), 404)
        assert_problem(api.post(f"{path}/secret"), 404)
        assert_problem(api.post(f"{path}/replay", {"after": 0}), 404)
        assert_problem(api.post(f"{path}/test"), 404)
    assert_problem(api.get(f"/applications/{UNKNOWN}/webhooks"), 404)
    assert_problem(api.post(f"/applications/{UNKNOWN}/webhooks", {"url": URL}), 404)
    assert row(webhook).version == 1


@pytest.mark.parametrize("webhook_id", ["x", "0" * 23, "0" * 25, "A" * 24, "%00" * 8])
def test_ids_that_are_none_are_unknown(api: Api, application: str, webhook_id: str) -> None:
    assert_problem(api.get(f"{application}/webhooks/{webhook_id}"), 404)


def test_an_application_has_few_webhooks(
    api: Api, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MAX_WEBHOOKS", 2)
    for _ in range(2):
        subscribe(api, application, URL)

    problem = assert_problem(api.post(f"{application}/webhooks", {"url": URL}), 409)

    assert problem["detail"] == "An application may have at most 20 webhooks."
    assert Webhook.objects.count() == 2


def test_pages_lead_through_all_of_them(api: Api, application: str) -> None:
    made = [subscribe(api, application, URL)["id"] for _ in range(5)]
    subscribe(api, api.new_application() + "", URL, after=0)
    pages = [api.get(f"{application}/webhooks", limit=2).json()]
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"]).json())

    ids = [webhook["id"] for page in pages for webhook in page["results"]]
    assert ids == made[::-1]
    assert [len(page["results"]) for page in pages] == [2, 2, 1]
    assert api.get(pages[1]["previous"]).json()["results"] == pages[0]["results"]
    assert_problem(api.get(f"{application}/webhooks", limit=0), 400)
    assert_problem(api.get(f"{application}/webhooks", cursor="x"), 400)


def test_a_repeated_request_makes_one_webhook_and_shows_no_secret(
    api: Api, application: str
) -> None:
    once = {"Idempotency-Key": "once"}
    first = api.post(f"{application}/webhooks", {"url": URL}, **once)

    again = api.post(f"{application}/webhooks", {"url": URL}, **once)

    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert again.json() == {**first.json(), "secret": None}
    assert again["Location"] == first["Location"]
    assert Webhook.objects.count() == 1
    assert_problem(api.post(f"{application}/webhooks", {"url": f"{URL}?"}, **once), 422)
    other = api.new_application()
    assert api.post(f"{other}/webhooks", {"url": URL}, **once).json()["secret"]


def test_a_repeated_action_is_done_once(api: Api, application: str, path: str) -> None:
    once = {"Idempotency-Key": "once"}
    for name, body in (("secret", None), ("replay", {"after": "1"}), ("test", None)):
        first = api.post(f"{path}/{name}", body, **once)
        before = Webhook.objects.values().get()

        again = api.post(f"{path}/{name}", body, **once)

        assert again["Idempotency-Replayed"] == "true"
        assert again.status_code == first.status_code
        expected = {"secret": None} if name == "secret" else first.json()
        assert again.json() == expected
        assert Webhook.objects.values().get() == before
    assert_problem(api.post(f"{path}/replay", {"after": "0"}, **once), 422)


def test_a_refused_request_is_not_remembered(api: Api, path: str) -> None:
    once = {"Idempotency-Key": "once"}
    assert_problem(api.post(f"{path}/replay", {"after": 10}, **once), 400)

    assert api.post(f"{path}/replay", {"after": 1}, **once).status_code == 202


def test_a_form_may_give_the_url(api: Api, application: str) -> None:
    answer = api.client.post(
        f"/api/v1{application}/webhooks",
        "url=https%3A%2F%2Fhooks.example.org",
        content_type="application/x-www-form-urlencoded",
    )

    assert (answer.status_code, answer.json()["url"]) == (201, "https://hooks.example.org")
