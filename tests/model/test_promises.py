"""All promises hold for any order of client actions and faults."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.model.clients import Clients
from tests.model.faults import Faults
from tests.model.profiles import profile
from tests.model.services import Services


def test_of_the_database_alone(transactional_db: None) -> None:
    run_state_machine_as_test(Clients, settings=profile())


@pytest.mark.stack
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_of_all_services_while_they_break(services: Services) -> None:
    class Machine(Faults):
        def __init__(self) -> None:
            super().__init__(services)

    run_state_machine_as_test(Machine, settings=profile())
