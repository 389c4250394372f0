"""Gauges of webhooks: how far the endpoint that is worst lies behind, and how many there are.

The states are apart: an endpoint that is `ok` and lags needs workers, one that is `failing` needs
somebody to look after the endpoint.
"""

from datetime import datetime

from django.db.models import BigIntegerField, Case, Count, F, OuterRef, Subquery, When
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from applications.models import Application
from events.models import ApplicationEvent
from operations import gauges
from webhooks.models import State, Webhook

_ACTIVE = (State.OK, State.FAILING)
#: Endpoints that lag, at most; further ones are not looked at.
_MAX_ENDPOINTS = 1000


def register() -> None:
    """Register the gauges."""
    gauges.register_source(gauges.Source("database", webhook_gauges, lambda: True))


def webhook_gauges() -> list[Metric]:
    """Raises errors of the database."""
    number = GaugeMetricFamily("chatsystem_webhooks", "Webhooks by state.", labels=("state",))
    events = GaugeMetricFamily(
        "chatsystem_webhook_lag_events",
        "Events that the endpoint furthest behind has still to get, or pass over.",
        labels=("state",),
    )
    seconds = GaugeMetricFamily(
        "chatsystem_webhook_lag_seconds",
        "Age of the oldest event that an active endpoint has still to get.",
        labels=("state",),
    )
    counts = dict(Webhook.objects.order_by().values_list("state").annotate(Count("pk")))
    for state in State:
        number.add_metric([state], counts.get(state, 0))
    for state in _ACTIVE:
        lag, age = _lag(state)
        events.add_metric([state], lag)
        seconds.add_metric([state], age)
    return [number, events, seconds]


def _lag(state: State) -> tuple[int, float]:
    """The largest number of events, and the seconds, by which endpoints of this state lag."""
    last = Application.objects.filter(token=OuterRef("application_token")).values("last_event")
    next_event = Case(
        When(item=None, then=F("event_number") + 1),
        default=F("event_number"),
        output_field=BigIntegerField(),
    )
    lagging = (
        Webhook.objects.filter(is_active=True, state=state)
        .annotate(last=Subquery(last[:1]), next_event=next_event)
        .filter(last__gte=F("next_event"))
        .order_by("next_attempt_at")
    )
    at = ApplicationEvent.objects.filter(
        application_token=OuterRef("application_token"),
        event_number__gte=OuterRef("next_event"),
    ).order_by("event_number")
    rows = lagging.annotate(since=Subquery(at.values("created_at")[:1]))
    lag, oldest = 0, None
    since: datetime | None
    for ends, begins, since in rows.values_list("last", "next_event", "since")[:_MAX_ENDPOINTS]:
        lag = max(lag, ends - begins + 1)
        if since is not None:
            oldest = since if oldest is None else min(oldest, since)
    return lag, max((timezone.now() - oldest).total_seconds(), 0) if oldest else 0.0
