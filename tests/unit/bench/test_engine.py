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
