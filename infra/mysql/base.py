"""Django's backend for MySQL, without connections that stay in a transaction for ever."""

from contextlib import suppress

from django.db import Error
from django.db.backends.mysql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection; Django finds it by this name."""

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        """Begin or end a transaction, or close the connection: a server that stops may refuse.

        A connection that was left without autocommit is taken by Django for one whose caller has
        begun a transaction (django.db.transaction.Atomic.__enter__): what follows is not committed,
        and after an error the thread can never use the database again.
        """
        try:
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        except Error:
            with suppress(Error):
                self.close()
            raise
