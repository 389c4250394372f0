"""Lists keep their order, truncate and escape texts, and link to parents and children."""

import pytest
from django.test import Client

from applications.models import Application
from chats.models import Chat
from messages_app.models import Message
from tests.admin.pages import address, listing, new_chats, new_messages, rows, text
from tests.rows import create_message


def test_within_a_chat_messages_are_sorted_by_their_number(
    admin_client: Client, chat: Chat
) -> None:
    new_messages(chat, 3)
    # Stored late, as a queue may do it: the newest row has the lowest number.
    Message.objects.filter(message_number=1).update(id=Message.objects.latest("pk").pk + 1)
    shown = rows(listing(admin_client, Message, q=f"{chat.application_token} {chat.chat_number}"))
    assert [message.message_number for message in shown] == [3, 2, 1]


@pytest.mark.parametrize(
    "query", [{"body__contains": "x"}, {"o": "4.-1"}, {"all": ""}, {"nonsense__isnull": "1"}]
)
def test_no_address_filters_or_sorts_by_a_column_without_an_index(
    admin_client: Client, message: Message, query: dict[str, str]
) -> None:
    answer = admin_client.get(address(Message, "changelist"), query, follow=True)
    assert rows(answer) == [message]
    assert answer.context["cl"].queryset.query.order_by == ("-pk",)
    assert "WHERE" not in str(answer.context["cl"].queryset.query)


def test_a_list_shows_the_beginning_of_a_body_and_does_not_read_more(
    admin_client: Client, chat: Chat
) -> None:
    body = "<script>alert(1)</script>" + "x" * 10_000
    new_messages(chat, 1, body)
    answer = listing(admin_client, Message)
    assert rows(answer)[0].get_deferred_fields() == {"body", "metadata"}
    assert f"{body[:79]}…" in text(answer)
    assert "<script>alert" not in answer.content.decode()
    assert "x" * 100 not in answer.content.decode()


def test_rows_are_linked_to_what_they_belong_to_and_to_what_belongs_to_them(
    admin_client: Client, message: Message
) -> None:
    token = message.application_token
    to_application = f'href="/admin/applications/application/?q={token}"'
    to_chats = f'href="/admin/chats/chat/?q={token}"'
    to_chat = f'href="/admin/chats/chat/?q={token}%2F1"'
    to_messages = f'href="/admin/messages_app/message/?q={token}%2F1"'
    for model, links in (
        (Application, [to_chats]),
        (Chat, [to_application, to_messages]),
        (Message, [to_chat]),
    ):
        row = model._default_manager.latest("pk")
        for page in ("changelist", "change"):
            arguments = (row.pk,) if page == "change" else ()
            shown = admin_client.get(address(model, page, *arguments)).content.decode()
            assert [link for link in links if link not in shown] == []


def test_a_link_leads_to_exactly_the_rows_it_promises(
    admin_client: Client, application: Application
) -> None:
    one, other = new_chats(application, 2)
    new_messages(one, 2)
    create_message(application_token=application.token, chat_number=2, body="elsewhere")
    token = application.token
    assert len(rows(admin_client.get(f"/admin/chats/chat/?q={token}"))) == 2
    assert len(rows(admin_client.get(f"/admin/messages_app/message/?q={token}%2F1"))) == 2
    assert rows(admin_client.get(f"/admin/chats/chat/?q={token}%2F2")) == [other]
