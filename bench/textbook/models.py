"""Its table, made and dropped by `resources`."""

from bench.stock_message import StockMessage


class Message(StockMessage):
    """Stored by the task."""

    class Meta:
        app_label = "textbook"
        db_table = "textbook_messages"
        managed = False
