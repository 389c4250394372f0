"""Whatever clients do and whatever breaks, in whatever order: every promise is kept."""

from hypothesis.stateful import run_state_machine_as_test

from tests.model.clients import Clients
from tests.model.profiles import profile


def test_of_the_database_alone(transactional_db: None) -> None:
    run_state_machine_as_test(Clients, settings=profile())
