"""Many concurrent clients, without a fault."""

import pytest

from chaos.client import Client
from chaos.database import authority
from tests.faults.load import Load
from tests.faults.verdict import judge

pytestmark = [pytest.mark.stack, pytest.mark.faults]


def test_64_clients_half_of_them_in_one_chat(client: Client) -> None:
    one, *others = client.new_chats(9)
    load = Load([one] * 32 + others * 4)

    load.write(25)

    judge(load)
    assert authority() == load.authority
