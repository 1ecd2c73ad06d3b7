"""The bench of the evaluator, small: it compares firings, and a wrong evaluator fails it."""

import gc
from collections.abc import Iterator

import pytest

from agentauri.bench import engine
from agentauri.engine.evaluator import PartitionEvaluator


@pytest.fixture(autouse=True)
def _thaw() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.parametrize("shape", sorted(engine.SHAPES))
def test_small_bench_compares_firings_with_the_reference(shape: str) -> None:
    measured = engine.measure(shape, 100, runs=1, events=400)
    assert measured.checked > 0
    assert len(measured.rates) == 1


@pytest.mark.parametrize("shape", sorted(engine.SHAPES))
def test_evaluator_that_misses_firings_fails_the_bench(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartitionEvaluator, "evaluate", lambda *_: [])
    with pytest.raises(engine.Wrong):
        engine.measure(shape, 100, runs=1, events=400)


def test_report_tells_the_bytes_of_a_trigger_beside_the_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = engine.Measured(rates=[70_000.0, 90_000.0], bytes_per_trigger=1_400.0, firings=900_000)
    monkeypatch.setattr(engine, "_apart", lambda *_: measured)
    told = engine.run(lambda _: None).to_json()
    cases = {case["name"]: (case["value"], case["unit"], case["met"]) for case in told["cases"]}
    assert cases == {
        "indexed_100k": (80_000, "events/s", False),
        "indexed_1m": (80_000, "events/s", True),
        "indexed_1m_bytes_per_trigger": (1_400, "bytes", True),
        "unindexed_10k": (80_000, "events/s", True),
        "growth_10k_1m": (1, "times", True),
    }
    assert {case["parameters"]["triggers"] for case in told["cases"][:3]} == {100_000, 1_000_000}
