"""The table of events."""

from django.db import models

from applications.models import TOKEN_BYTES


class ApplicationEvent(models.Model):
    """Something that happened in an application, or the creation of consecutive messages.

    Event numbers of an application have no gaps. `type` is an item and an action, such as
    message.created. Of messages, `first_number` to `last_number` are theirs; other events have 0
    there. `chat_number` is null for the application itself. `version` is that of the item, right
    after the event.
    """

    shard_key = "application_token"

    application_token = models.CharField(max_length=2 * TOKEN_BYTES)
    event_number = models.PositiveBigIntegerField()
    type = models.CharField(max_length=24)
    chat_number = models.PositiveBigIntegerField(null=True)
    first_number = models.PositiveBigIntegerField()
    last_number = models.PositiveBigIntegerField()
    version = models.PositiveBigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "events"
        verbose_name = "event"
        constraints = (
            models.UniqueConstraint(
                fields=("application_token", "event_number"), name="events_natural_key"
            ),
        )

    def __str__(self) -> str:
        return f"{self.application_token}/{self.event_number}"

    @property
    def item(self) -> str:
        """The kind of item: application, chat or message."""
        return self.type.partition(".")[0]

    @property
    def size(self) -> int:
        """The number of items."""
        return self.last_number - self.first_number + 1
