"""Rows that most admin tests start with."""

import pytest
from pytest_django import Settings

from applications.models import Application
from applications.services import create_application
from chats.models import Chat
from messages_app.models import Message
from tests.rows import create_chat, create_message, get_chat, get_message


@pytest.fixture(autouse=True)
def quick_users(settings: Settings) -> None:
    """Each test has a user of its own: no good hash."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def application(db: None) -> Application:
    return create_application(name="Acme")


@pytest.fixture
def chat(application: Application) -> Chat:
    number = create_chat(application_token=application.token, name="Support").number
    return get_chat(application_token=application.token, chat_number=number)


@pytest.fixture
def message(chat: Chat) -> Message:
    token, chat_number = chat.application_token, chat.chat_number
    row = create_message(application_token=token, chat_number=chat_number, body="hello")
    return get_message(application_token=token, chat_number=chat_number, message_number=row.number)
