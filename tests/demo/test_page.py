"""The page of the demo as the server sends it; tests/browser/test_demo.py uses it."""

import re
from pathlib import Path

import httpx
import pytest
from django.test import Client
from pytest_django import Settings

from tests.live.servers import NO_TLS, EmbeddedServer


def test_it_is_one_page_with_one_script_and_sets_no_cookie(client: Client) -> None:
    answer = client.get("/demo/")

    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    page = answer.content.decode()
    assert re.findall(r"<script[^>]*>", page) == ['<script src="/static/demo/demo.js" defer>']
    assert not re.search(r"\son[a-z]+=|\sstyle=|javascript:", page)
    assert not answer.cookies


@pytest.mark.parametrize("keys_required", [False, True])
def test_it_asks_for_a_key_where_keys_are_required(
    client: Client, settings: Settings, keys_required: bool
) -> None:
    update = {"require_keys": keys_required}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=update)

    page = client.get("/demo").content.decode()

    assert ('id="key-form"' in page) is keys_required
    assert ('id="application-form"' in page) is not keys_required


def test_each_field_and_list_of_it_has_a_name(client: Client) -> None:
    page = client.get("/demo/").content.decode()
    labelled = set(re.findall(r'<label for="([a-z-]+)"', page))

    for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", page):
        name = re.search(r' id="([a-z-]+)"', tag)
        assert name, tag
        assert name[1] in labelled, tag


@pytest.mark.costly
def test_it_is_not_there_where_it_is_switched_off(tmp_path: Path, migrated: Path) -> None:
    with EmbeddedServer(tmp_path, migrated, DEMO="0") as server:
        assert httpx.get(f"{server.url}/demo/", verify=NO_TLS).status_code == 404
