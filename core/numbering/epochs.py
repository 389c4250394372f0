"""The latest epoch that this process has read, for what must hold while the database is away."""

#: The one of an installation in which nobody has given a number yet.
FIRST_EPOCH = 1


class LatestEpoch:
    """Rises, as epochs do: a read that was slow makes it no older."""

    def __init__(self) -> None:
        self.value = 0

    def learn(self, epoch: int) -> None:
        """This epoch was read from the database."""
        self.value = max(self.value, epoch)


latest_epoch = LatestEpoch()
