"""Every metric of AgentAuri, with its labels and meaning; the only door to ``ray.util.metrics``.

Inside a Ray worker they are Ray metrics (names get the prefix ``ray_``); elsewhere they go to prometheus_client.
Labels stay low in cardinality: a chain, an evaluator, a channel, an outcome; never a trigger or an organization.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Sink(Protocol):
    """What a metric writes to."""

    def record(self, value: float, labels: dict[str, str]) -> None:
        """Add to a counter, set a gauge, or observe in a histogram."""


@dataclass
class Metric:
    """A named metric; the sink behind it is made at its first use, when it is known whether Ray runs."""

    kind: str
    name: str
    help: str
    labels: tuple[str, ...] = ()
    sink: Sink | None = field(default=None, repr=False)

    def __call__(self, value: float = 1.0, **labels: str) -> None:
        """Count, set or observe ``value``."""
        if self.sink is None:
            self.sink = _ray_sink(self) if _in_ray() else _prometheus_sink(self)
        self.sink.record(value, labels)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "sink": None}


def _in_ray() -> bool:
    import ray

    return bool(ray.is_initialized())


class _RaySink:
    def __init__(self, metric: Metric) -> None:
        from ray.util import metrics

        self._counts = metric.kind == "counter"
        name, keys = f"agentauri_{metric.name}", metric.labels
        self._write: Callable[[float, dict[str, str]], None]
        if metric.kind == "counter":
            self._write = metrics.Counter(name, metric.help, keys).inc
        elif metric.kind == "gauge":
            self._write = metrics.Gauge(name, metric.help, keys).set
        else:
            self._write = metrics.Histogram(name, metric.help, list(SECONDS), keys).observe

    def record(self, value: float, labels: dict[str, str]) -> None:
        if value or not self._counts:
            self._write(value, labels)


class _PrometheusSink:
    def __init__(self, metric: Metric) -> None:
        import prometheus_client as prometheus

        name = f"agentauri_{metric.name}"
        self._labelled = bool(metric.labels)
        self._metric: prometheus.Counter | prometheus.Gauge | prometheus.Histogram
        if metric.kind == "counter":
            self._metric = prometheus.Counter(name, metric.help, metric.labels)
        elif metric.kind == "gauge":
            self._metric = prometheus.Gauge(name, metric.help, metric.labels)
        else:
            self._metric = prometheus.Histogram(name, metric.help, metric.labels, buckets=SECONDS)

    def record(self, value: float, labels: dict[str, str]) -> None:
        import prometheus_client as prometheus

        child = self._metric.labels(**labels) if self._labelled else self._metric
        match child:
            case prometheus.Counter():
                child.inc(value)
            case prometheus.Gauge():
                child.set(value)
            case _:
                child.observe(value)


def _ray_sink(metric: Metric) -> Sink:
    return _RaySink(metric)


def _prometheus_sink(metric: Metric) -> Sink:
    return _PrometheusSink(metric)


events_indexed = Metric("counter", "events_indexed_total", "Events committed by an indexer", ("chain",))
chain_lag_blocks = Metric(
    "gauge", "chain_lag_blocks", "Blocks between the chain's head and what is indexed", ("chain",)
)
reorgs = Metric("counter", "reorgs_total", "Reorganisations noticed", ("chain",))
rpc_seconds = Metric("histogram", "rpc_seconds", "JSON-RPC answers, by outcome", ("chain", "outcome"))
listener_lag_events = Metric("gauge", "listener_lag_seqs", "Log rows between the head and the slowest evaluator")
pasts_working = Metric("gauge", "pasts_working", "Triggers whose past is worked off before they go live")
pasts_lag_events = Metric("gauge", "pasts_lag_seqs", "Log rows between the head and the past that is furthest behind")
batch_seconds = Metric("histogram", "batch_seconds", "One batch in an evaluator, by step", ("evaluator", "step"))
events_evaluated = Metric("counter", "events_evaluated_total", "Events that an evaluator worked off", ("evaluator",))
matches = Metric("counter", "matches_total", "Firings of triggers", ("evaluator",))
evaluation_errors = Metric("counter", "evaluation_errors_total", "Triggers that failed on an event", ("evaluator",))
expression_errors = Metric(
    "counter", "expression_errors_total", "Expressions that came to an error, which is false", ("evaluator",)
)
deliveries = Metric("counter", "deliveries_total", "Attempts recorded, by outcome", ("channel", "outcome"))
attempt_seconds = Metric("histogram", "attempt_seconds", "One attempt of a delivery", ("channel", "outcome"))
queue_depth = Metric("gauge", "queue_depth", "Rows of deliveries by status", ("status",))
rate_decisions = Metric(
    "counter", "rate_decisions_total", "Requests counted against rate limits, by outcome", ("policy", "outcome")
)
rate_fallbacks = Metric(
    "counter", "rate_fallbacks_total", "Requests that were counted, or refused, without Redis", ("policy",)
)
