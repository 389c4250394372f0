"""The requests of the collection, in their order: a walk through every operation.

Scripts are JavaScript for Postman's sandbox; `body` is the answer. Values that the description's
links take from an answer (token, chat_number, message_number) are kept without a mention here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

KEY = {"key": "body.key"}
ETAG = {"etag": 'pm.response.headers.get("ETag")'}
NEXT = {"next": "body.next"}
CURRENT = {"If-Match": "{{etag}}"}
KNOWN = {"If-None-Match": "{{etag}}"}
ONCE = {"Idempotency-Key": "{{idempotencyKey}}"}
NEW_IDEMPOTENCY_KEY = (
    'pm.collectionVariables.set("idempotencyKey", pm.variables.replaceIn("{{$guid}}"));'
)


@dataclass(frozen=True)
class Step:
    """One request: its operation, and what differs from the description's example."""

    operation: str
    #: Added to the operation's summary.
    what: str = ""
    #: None: the status of a success.
    status: int | None = None
    #: Parameters by name. Those of the path are variables by default, the others are optional.
    given: Mapping[str, str] = field(default_factory=dict)
    #: Instead of the operation's URL.
    url: str = ""
    #: A script that runs before the request.
    before: str = ""
    #: Assertions by the name of their test.
    holds: Mapping[str, str] = field(default_factory=dict)
    #: Expressions whose values are kept, by the name of the variable.
    keeps: Mapping[str, str] = field(default_factory=dict)


WALK = (
    Step("applications_create", keeps=KEY),
    Step("applications_list", given={"limit": "2"}),
    Step("applications_retrieve", keeps=ETAG),
    Step("applications_retrieve", "unless it is known", 304, KNOWN),
    Step("applications_update", "if nobody else has changed it", given=CURRENT),
    Step("applications_partial_update", "refused since it has been changed", 412, CURRENT),
    Step("applications_partial_update"),
    Step("applications_key_create", keeps=KEY),
    Step("applications_chats_create"),
    Step("applications_chats_list", given={"order": "desc"}),
    Step("applications_chats_retrieve", keeps=ETAG),
    Step("applications_chats_retrieve", "unless it is known", 304, KNOWN),
    Step("applications_chats_update", "if nobody else has changed it", given=CURRENT),
    Step("applications_chats_partial_update"),
    Step(
        "applications_chats_messages_create",
        "at most once",
        given=ONCE,
        before=NEW_IDEMPOTENCY_KEY,
        keeps={"firstNumber": "body.message_number"},
    ),
    Step(
        "applications_chats_messages_create",
        "a repeat gets the first answer",
        given=ONCE,
        holds={
            "the answer is that of the first request": (
                'pm.expect(pm.response.headers.get("Idempotency-Replayed")).to.equal("true")'
            ),
            "the number is that of the first request": (
                "pm.expect(String(body.message_number))"
                '.to.equal(String(pm.collectionVariables.get("firstNumber")))'
            ),
        },
    ),
    Step(
        "applications_chats_messages_bulk_create",
        holds={
            "the numbers are consecutive": (
                "pm.expect(body.results[1].message_number)"
                ".to.equal(body.results[0].message_number + 1)"
            )
        },
    ),
    Step(
        "applications_chats_messages_list",
        "two at a time",
        given={"limit": "2"},
        holds={"there are two": "pm.expect(body.results).to.have.lengthOf(2)"},
        keeps=NEXT,
    ),
    Step(
        "applications_chats_messages_list",
        "the next page",
        url="{{next}}",
        holds={
            "there is the third": "pm.expect(body.results[0].message_number).to.equal(3)",
            "there is a page before": "pm.expect(body.previous).to.be.a('string')",
        },
    ),
    Step("applications_chats_messages_retrieve", keeps=ETAG),
    Step("applications_chats_messages_retrieve", "unless it is known", 304, KNOWN),
    Step(
        "applications_chats_messages_partial_update",
        "if nobody else has changed it",
        given=CURRENT,
    ),
    Step("applications_chats_messages_update", "refused since it has been changed", 412, CURRENT),
    Step("applications_chats_messages_update"),
    Step(
        "applications_chats_messages_search",
        holds={
            "hits are marked": (
                'body.results.forEach((hit) => pm.expect(hit.highlight).to.include("<mark>"))'
            )
        },
    ),
    Step(
        "applications_messages_search",
        "the newest hit of all chats",
        given={"limit": "1"},
        holds={
            "the hit is marked": (
                'body.results.forEach((hit) => pm.expect(hit.highlight).to.include("<mark>"))'
            )
        },
    ),
    Step("applications_chats_messages_destroy"),
    Step(
        "applications_chats_messages_retrieve",
        "only its number and times are left",
        holds={"it has no body": "pm.expect(body.body).to.equal(null)"},
    ),
    Step("applications_chats_messages_partial_update", "refused since it is erased", 409),
    Step(
        "applications_chats_messages_retrieve",
        "there is no such message",
        404,
        given={"message_number": "1000000"},
    ),
    Step("applications_events_list", given={"limit": "2"}),
    Step("applications_webhooks_create"),
    Step("applications_webhooks_list"),
    Step("applications_webhooks_retrieve", keeps=ETAG),
    Step("applications_webhooks_retrieve", "unless it is known", 304, KNOWN),
    Step("applications_webhooks_partial_update", "if nobody else has changed it", given=CURRENT),
    Step("applications_webhooks_secret_create"),
    Step("applications_webhooks_replay_create"),
    Step(
        "applications_webhooks_destroy",
        "refused since it has been changed",
        412,
        CURRENT,
    ),
    Step("applications_webhooks_destroy"),
    Step("applications_webhooks_test_create", "there is no such webhook", 404),
    Step("applications_stream_tokens_create"),
    # A stream has no end that the collection could wait for.
    Step("applications_stream", "refused with a wrong token", 401, {"access_token": "wrong"}),
    Step("applications_chats_stream", "refused with a wrong token", 401, {"access_token": "wrong"}),
)
