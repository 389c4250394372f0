"""The table of keys whose requests have done their work."""

from django.db import models


class IdempotencyKey(models.Model):
    """A request by the digest of its path and key, and what it made. Digests are written as UUIDs.

    `first_number` of as many rows as the request asks for, or the `token` of an application.
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
