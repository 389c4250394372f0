"""Circuit breaker: a failed service gets no requests until a background thread finds it well.

So a dead service costs one timeout, not one for each request, and no request is ever the probe.
"""

import time
from collections.abc import Callable
from threading import Lock, Thread

from infra.logs import Event, get_logger
from infra.metrics import BREAKER_OPEN, BREAKER_OPENED
from infra.timeouts import BREAKER_PROBE_SECONDS

logger = get_logger(__name__)


class Breaker:
    """Open while the service is unavailable; `probe` raises as long as it is."""

    def __init__(self, service: str, probe: Callable[[], object]) -> None:
        self.is_open = False
        self._service = service
        self._probe = probe
        self._lock = Lock()
        self._shown, self._opened = BREAKER_OPEN.labels(service), BREAKER_OPENED.labels(service)
        self._shown.set(0)

    def open(self, error: BaseException) -> None:
        """Open the breaker: the service has just failed with this error."""
        with self._lock:
            if self.is_open:
                return
            self.is_open = True
        self._shown.set(1)
        self._opened.inc()
        logger.warning(Event.SERVICE_AWAY, service=self._service, error=error)
        Thread(target=self._watch, name=f"{self._service}-probe", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(BREAKER_PROBE_SECONDS)
            try:
                self._probe()
            except Exception as error:  # noqa: BLE001 - any error means that the service is not well
                logger.debug(Event.SERVICE_STILL_AWAY, service=self._service, error=error)
            else:
                break
        self.is_open = False
        self._shown.set(0)
        logger.warning(Event.SERVICE_BACK, service=self._service)
