"""The Django application of webhooks."""

from django.apps import AppConfig
from django.conf import settings


class WebhooksConfig(AppConfig):
    """Signed deliveries of events to endpoints of clients."""

    name = "webhooks"

    def ready(self) -> None:
        """Wake the worker after commits that write events; register audit and gauges."""
        from events import wake_ups
        from operations.audit import checks
        from webhooks import gauges
        from webhooks.audit import CHECK
        from webhooks.services import wake_up

        if settings.ENVIRONMENT.broker_url:
            wake_ups.listeners.append(wake_up)
        checks.register(CHECK)
        gauges.register()
