"""Which triggers an event can match, found without looking at the others.

Guarantees that no trigger is missed and none is offered twice for an event; there is no cap on how many a chain,
registry or agent has. An event asks one table for each combination of bound fields that is in use. Its ``data`` is
not touched unless the place that it finds is crowded and narrowed by a field of it.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from agentauri.engine import read
from agentauri.engine.bounds import Bounded
from agentauri.engine.narrow import BOUND_FIELDS, Beginning, Equality, Key, Place
from agentauri.engine.prefixes import Prefixes
from agentauri.models.event import Event


class Placed(Protocol):
    """What the index holds: whatever knows its place."""

    @property
    def place(self) -> Place:
        """Where it stands; never changes while it is in the index."""


T = TypeVar("T", bound=Placed)

CROWDED = 8
"""Triggers of one place up to which testing each is cheaper than narrowing."""

AGENT = BOUND_FIELDS.index("agent_id")
NO_KEY: Key = ()

Numbers = dict[read.ReadNumber, float | None]
"""Numbers of one event that were read already, as doubles: several places may ask for the same one."""


class Crowd(Generic[T]):
    """The triggers of one place. Beyond CROWDED they are told apart by equalities, beginnings and bounds, in turn."""

    __slots__ = ("_begun", "_bounded", "_depth", "_equal", "_plain", "_size", "_split")

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth
        self._size = 0
        self._split = False
        self._plain: list[T] = []
        self._equal: dict[read.Read, dict[object, T | Crowd[T]]] = {}
        self._begun: dict[read.ReadText, Prefixes[T]] = {}
        self._bounded: dict[read.ReadNumber, Bounded[T]] = {}

    def __len__(self) -> int:
        return self._size

    def add(self, item: T) -> None:
        """Put a trigger in."""
        self._size += 1
        if self._size > CROWDED and not self._split:
            self._split, waiting = True, self._plain
            self._plain = []
            for one in waiting:
                self._sort_in(one)
        self._sort_in(item)

    def _sort_in(self, item: T) -> None:
        place = item.place
        equality = self._equality(place)
        if equality is not None:
            table = self._equal.setdefault(_reader_of(equality), {})
            for value in equality.values:
                _put(table, value, item, self._depth + 1)
        elif self._split and place.beginning is not None:
            self._begun.setdefault(_text_of(place.beginning), Prefixes()).add(place.beginning.text, item)
        elif self._split and place.bounds is not None:
            field, low, high = place.bounds
            self._bounded.setdefault(read.number_reader(field), Bounded()).add(low, high, item)
        else:
            self._plain.append(item)

    def _equality(self, place: Place) -> Equality | None:
        return place.equalities[self._depth] if self._split and self._depth < len(place.equalities) else None

    def remove(self, item: T) -> None:
        """Take a trigger out."""
        self._size -= 1
        place = item.place
        equality = self._equality(place)
        if equality is not None:
            self._remove_equal(equality, item)
        elif self._split and place.beginning is not None:
            read_text = _text_of(place.beginning)
            self._begun[read_text].remove(place.beginning.text, item)
            if not self._begun[read_text]:
                del self._begun[read_text]
        elif self._split and place.bounds is not None:
            field, low, high = place.bounds
            number = read.number_reader(field)
            self._bounded[number].remove(low, high, item)
            if not self._bounded[number]:
                del self._bounded[number]
        else:
            self._plain.remove(item)

    def _remove_equal(self, equality: Equality, item: T) -> None:
        reader = _reader_of(equality)
        table = self._equal[reader]
        for value in equality.values:
            _take(table, value, item)
        if not table:
            del self._equal[reader]

    def find(self, event: Event, found: list[T], numbers: Numbers) -> None:
        """Add the triggers that ``event`` may match to ``found``; ``numbers`` has what was read of it before."""
        found += self._plain
        for reader, table in self._equal.items():
            there = table.get(reader(event))
            if isinstance(there, Crowd):
                there.find(event, found, numbers)
            elif there is not None:
                found.append(there)
        for read_text, begun in self._begun.items():
            text = read_text(event)
            if text is not None:
                begun.find(text, found)
        for read_number, bounded in self._bounded.items():
            if read_number in numbers:
                number = numbers[read_number]
            else:
                exact = read_number(event)
                number = numbers[read_number] = None if exact is None else float(exact)
            if number is not None:
                bounded.find(number, found)


def _put(table: "dict[object, T | Crowd[T]]", value: object, item: T, depth: int = 0) -> None:
    """Most values have one trigger, which then stands there by itself."""
    there = table.get(value)
    if there is None:
        table[value] = item
    elif isinstance(there, Crowd):
        there.add(item)
    else:
        crowd: Crowd[T] = Crowd(depth)
        crowd.add(there)
        crowd.add(item)
        table[value] = crowd


def _take(table: "dict[object, T | Crowd[T]]", value: object, item: T) -> None:
    there = table[value]
    if isinstance(there, Crowd):
        there.remove(item)
        if there:
            return
    del table[value]


def _reader_of(equality: Equality) -> read.Read:
    return read.reader(equality.field, ignore_case=equality.ignore_case)


def _text_of(beginning: Beginning) -> read.ReadText:
    return read.text_reader(beginning.field, ignore_case=beginning.ignore_case)


class Shape(Generic[T]):
    """The triggers that bind the same fields."""

    __slots__ = ("_fields", "binds_agent", "key_of", "table")

    def __init__(self, shape: int) -> None:
        self._fields = [name for index, name in enumerate(BOUND_FIELDS) if shape >> index & 1]
        self.key_of: Callable[[Event], Key] = attrgetter(*self._fields) if self._fields else lambda event: NO_KEY
        self.binds_agent = "agent_id" in self._fields
        self.table: dict[Key, T | Crowd[T]] = {}

    def key_with_agent(self, event: Event, agent: int) -> Key:
        """The key of an event whose agent id does not fit its column."""
        values = [agent if name == "agent_id" else getattr(event, name) for name in self._fields]
        return tuple(values) if len(values) > 1 else values[0]


class TriggerIndex(Generic[T]):
    """Triggers by their places. One is in it once; to replace it, remove it and add the new one."""

    def __init__(self) -> None:
        self._shapes: dict[int, Shape[T]] = {}
        self._big_agents = 0
        """Keys whose agent id does not fit the log's column: only for them is an event without agent looked into."""

    def add(self, item: T) -> None:
        """Put a trigger in."""
        place = item.place
        shape = self._shapes.get(place.shape)
        if not place.keys:
            return
        if shape is None:
            shape = self._shapes[place.shape] = Shape(place.shape)
        for key in place.keys:
            _put(shape.table, key, item)
        self._big_agents += _big_agents(place)

    def remove(self, item: T) -> None:
        """Take a trigger out. Raises KeyError if it is not there."""
        place = item.place
        if not place.keys:
            return
        shape = self._shapes[place.shape]
        for key in place.keys:
            _take(shape.table, key, item)
        if not shape.table:
            del self._shapes[place.shape]
        self._big_agents -= _big_agents(place)

    def candidates(self, event: Event) -> list[T]:
        """Every trigger that the event can match, once, and few others."""
        found: list[T] = []
        numbers: Numbers = {}
        for shape in self._shapes.values():
            there = shape.table.get(shape.key_of(event))
            if there is None:
                continue
            if isinstance(there, Crowd):
                there.find(event, found, numbers)
            else:
                found.append(there)
        if self._big_agents and event.agent_id is None:
            self._find_big_agent(event, found, numbers)
        return found

    def _find_big_agent(self, event: Event, found: list[T], numbers: Numbers) -> None:
        agent = read.agent_id(event)
        if agent is None:
            return
        for shape in self._shapes.values():
            there = shape.table.get(shape.key_with_agent(event, agent)) if shape.binds_agent else None
            if isinstance(there, Crowd):
                there.find(event, found, numbers)
            elif there is not None:
                found.append(there)


def _big_agents(place: Place) -> int:
    """How many of the place's keys name an agent whose id does not fit the log's column."""
    if not place.shape >> AGENT & 1:
        return 0
    agents = [key[-1] if isinstance(key, tuple) else key for key in place.keys]
    return sum(isinstance(agent, int) and agent >= read.FIRST_BIG_AGENT_ID for agent in agents)
