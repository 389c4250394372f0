"""`manage.py createsuperuser`: Django's, which takes no weak password from a script either."""

import os
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from infra.commands import LineCommand

_PASSWORD = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105 - the name of a variable


class Command(LineCommand, createsuperuser.Command):
    """Without a terminal Django would take any password."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the user."""
        password = os.environ.get(_PASSWORD)
        if not options["interactive"] and password is not None:
            user = User(username=options["username"] or "", email=options["email"] or "")
            try:
                validate_password(password, user)
            except ValidationError as error:
                raise CommandError(f"{_PASSWORD}: {' '.join(error.messages)}") from None
        super().handle(*args, **options)
