"""The exchange's figures, as Prometheus reads them; nobody's name and nothing of a submission is among them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from tornado.web import RequestHandler

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
BYTES = (1e4, 1e5, 1e6, 1e7, 1e8)


class Metrics:
    """Counters of one process: they begin at zero when it starts, as Prometheus expects."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._answers = Counter("exchange_requests", "Answers", ["method", "status"], registry=registry)
        self._seconds = Histogram("exchange_request_seconds", "Time to the answer", buckets=SECONDS, registry=registry)
        self._sizes = Histogram("exchange_submission_bytes", "New submissions", buckets=BYTES, registry=registry)
        started = Gauge("exchange_start_time_seconds", "When this process began", registry=registry)
        started.set_to_current_time()

    def answered(self, method: str, status: int, seconds: float) -> None:
        """Count an answer."""
        known = method if method in RequestHandler.SUPPORTED_METHODS else "other"  # anybody may make up more
        self._answers.labels(known, str(status)).inc()
        self._seconds.observe(seconds)

    def taken(self, size: int) -> None:
        """Count a new submission."""
        self._sizes.observe(size)

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)
