"""Counts and durations of requests for Prometheus, in a registry of one server."""

from collections.abc import Callable
from typing import Any

from remedis import extras
from remedis.serving.settings import EXTRA

# Seconds: one image of a 50x1 takes some tenths on two cores.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ServingMetrics:
    """The numbers of a server. No value is of an image, a header or a name of a file.

    Args:
      held: returns the number of images that wait or are computed.
    """

    def __init__(self, held: Callable[[], int]) -> None:
        prometheus = extras.load("prometheus_client", EXTRA)
        self._prometheus = prometheus
        self._registry = prometheus.CollectorRegistry()
        of_route = {"registry": self._registry}
        self._requests: Any = prometheus.Counter(
            "remedis_requests", "Requests answered", ("method", "route", "status"), **of_route
        )
        self._seconds: Any = prometheus.Histogram(
            "remedis_request_seconds",
            "Seconds from a request's headers to the end of its answer",
            ("method", "route"),
            buckets=_BUCKETS,
            **of_route,
        )
        waiting = prometheus.Gauge(
            "remedis_images_held", "Images that wait or are computed", **of_route
        )
        waiting.set_function(held)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> tuple[bytes, str]:
        """Returns all numbers in Prometheus' text format, and its content type."""
        return self._prometheus.generate_latest(self._registry), (
            self._prometheus.CONTENT_TYPE_LATEST
        )
