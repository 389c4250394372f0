"""Many concurrent clients over real sockets, against both profiles."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

import httpx
import pytest

from tests.live.servers import NO_TLS

CLIENTS = 50
EACH = 10


def in_parallel(base_url: str, work: Callable[[httpx.Client, int], list[int]]) -> list[list[int]]:
    """What each of fifty clients got, every one on a connection of its own."""

    def client(number: int) -> list[int]:
        with httpx.Client(base_url=f"{base_url}/api/v1", timeout=60, verify=NO_TLS) as http:
            return work(http, number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(client, range(CLIENTS)))


def create(http: httpx.Client, path: str, field: str, value: str) -> int:
    answer = http.post(path, json={field: value})
    assert answer.status_code == 201, answer.text
    number: int = answer.json()["chat_number" if field == "name" else "message_number"]
    return number


@pytest.fixture
def application(http: httpx.Client) -> str:
    return f"/applications/{http.post('/applications', json={'name': 'many'}).json()['token']}"


def read_all(http: httpx.Client, path: str, number: str) -> list[int]:
    """The numbers of a whole list, by its links."""
    url: str | None = f"{path}?limit=200"
    numbers: list[int] = []
    while url:
        page = http.get(url).json()
        numbers += [item[number] for item in page["results"]]
        url = page["next"]
    return numbers


def test_fifty_clients_create_chats_without_a_gap_a_repeat_or_an_error(
    http: httpx.Client, base_url: str, application: str
) -> None:
    def work(client: httpx.Client, number: int) -> list[int]:
        return [
            create(client, f"{application}/chats", "name", f"{number}/{n}") for n in range(EACH)
        ]

    answered = in_parallel(base_url, work)

    everything = list(range(1, CLIENTS * EACH + 1))
    assert sorted(chain.from_iterable(answered)) == everything
    assert all(numbers == sorted(numbers) for numbers in answered)
    assert read_all(http, f"{application}/chats", "chat_number") == everything


def test_fifty_clients_write_to_one_chat_without_a_gap_a_repeat_or_an_error(
    http: httpx.Client, base_url: str, application: str
) -> None:
    chat = f"{application}/chats/{create(http, f'{application}/chats', 'name', 'busy')}"

    def work(client: httpx.Client, number: int) -> list[int]:
        return [create(client, f"{chat}/messages", "body", f"{number}/{n}") for n in range(EACH)]

    answered = in_parallel(base_url, work)

    everything = list(range(1, CLIENTS * EACH + 1))
    assert sorted(chain.from_iterable(answered)) == everything
    assert all(numbers == sorted(numbers) for numbers in answered)
    assert read_all(http, f"{chat}/messages", "message_number") == everything
    for number, numbers in enumerate(answered):
        for n, message_number in enumerate(numbers):
            if n % 5 == 0:
                shown = http.get(f"{chat}/messages/{message_number}").json()
                assert shown["body"] == f"{number}/{n}"


def test_fifty_clients_create_chats_and_messages_in_them_at_once(
    http: httpx.Client, base_url: str, application: str
) -> None:
    def work(client: httpx.Client, number: int) -> list[int]:
        chat = create(client, f"{application}/chats", "name", f"chat of {number}")
        path = f"{application}/chats/{chat}"
        numbers = [create(client, f"{path}/messages", "body", f"{n}") for n in range(EACH)]
        assert client.patch(f"{path}/messages/1", json={"body": "edited"}).status_code == 200
        return numbers

    answered = in_parallel(base_url, work)

    assert answered == [list(range(1, EACH + 1))] * CLIENTS
    assert read_all(http, f"{application}/chats", "chat_number") == list(range(1, CLIENTS + 1))


def test_of_fifty_clients_that_have_seen_the_same_one_changes_it(
    http: httpx.Client, base_url: str, application: str
) -> None:
    chat = f"{application}/chats/{create(http, f'{application}/chats', 'name', 'seen')}"
    create(http, f"{chat}/messages", "body", "seen")
    for path, field in ((application, "name"), (chat, "name"), (f"{chat}/messages/1", "body")):
        seen = http.get(path).headers["ETag"]
        rename = partial(_rename, path=path, field=field, seen=seen)

        statuses = list(chain.from_iterable(in_parallel(base_url, rename)))

        assert sorted(statuses) == [200] + [412] * (CLIENTS - 1)
        assert http.get(path).json()[field] == f"{statuses.index(200)}"


def _rename(client: httpx.Client, number: int, *, path: str, field: str, seen: str) -> list[int]:
    answer = client.put(path, json={field: f"{number}"}, headers={"If-Match": seen})
    return [answer.status_code]


def test_many_repeats_at_once_are_one_request(http: httpx.Client, base_url: str) -> None:
    token = http.post("/applications", json={"name": "once"}).json()["token"]
    http.post(f"/applications/{token}/chats", json={"name": "once"})
    path = f"/applications/{token}/chats/1/messages"

    def send(client: httpx.Client, _: int) -> list[int]:
        answers = [
            client.post(path, json={"body": "x"}, headers={"Idempotency-Key": f"key-{n}"})
            for n in range(3)
        ]
        assert {answer.status_code for answer in answers} == {201}
        return [answer.json()["message_number"] for answer in answers]

    numbers = in_parallel(base_url, send)

    assert len({tuple(of_client) for of_client in numbers}) == 1
    assert sorted(numbers[0]) == [1, 2, 3]
    assert read_all(http, path, "message_number") == [1, 2, 3]
