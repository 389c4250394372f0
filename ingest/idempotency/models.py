"""The table of idempotency keys."""

from django.db import models


class IdempotencyKey(models.Model):
    """A request that succeeded. `name` is the digest of path and key, `fingerprint` of the content.

    It made the rows from `first_number` on, or the application with this `token`.
    """

    application_token = models.CharField(max_length=24)
    name = models.UUIDField()
    fingerprint = models.UUIDField()
    first_number = models.PositiveBigIntegerField(null=True)
    token = models.CharField(max_length=24, default="")
    accepted_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "idempotency_keys"
        constraints = (
            models.UniqueConstraint(
                fields=("application_token", "name"), name="idempotency_keys_natural_key"
            ),
        )

    def __str__(self) -> str:
        return self.name.hex
