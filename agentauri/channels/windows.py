"""At most so many starts within any stretch of so many seconds, and which destinations are bound to that.

Telegram counts so: by bot, by chat, by group. Unlike a token bucket a window is exact: whatever was saved up, no
stretch holds more. Pure: time comes in as an argument, in seconds of a steady clock.
"""

from collections import deque
from dataclasses import dataclass

from agentauri.models.delivery import Destination
from agentauri.models.telegram_action import BOT_LANE

SLACK_SECONDS = 0.1
"""Messages may come closer together than they went out; so much more is waited."""
BOT_MESSAGES, BOT_SECONDS = 30, 1.0
CHAT_MESSAGES, CHAT_SECONDS = 1, 1.0
GROUP_MESSAGES, GROUP_SECONDS = 20, 60.0


class Window:
    """Empty at first."""

    __slots__ = ("_at", "_most", "_seconds", "_starts")

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._starts: deque[float] = deque()
        self._at = 0.0

    def available(self, now: float) -> int:
        """How many may start now."""
        self._at = now
        while self._starts and self._starts[0] + self._seconds <= now:  # as ready_at adds, or rounding would part them
            self._starts.popleft()
        return self._most - len(self._starts)

    def take(self, count: int) -> None:
        """So many start at the moment that ``available`` was asked for; a negative count takes the last ones back."""
        for _ in range(count):
            self._starts.append(self._at)
        for _ in range(min(-count, len(self._starts))):
            self._starts.pop()

    def ready_at(self) -> float:
        """When one more may start; a time in the past means now."""
        return self._starts[-self._most] + self._seconds if len(self._starts) >= self._most else 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """A limit by its name: destinations with the same name share it."""

    name: str
    most: int
    seconds: float


def lane_pace(lane: str) -> Pace | None:
    """What a lane as a whole is bound to: a bot's messages to all of its chats."""
    return Pace(lane, BOT_MESSAGES, BOT_SECONDS + SLACK_SECONDS) if lane.startswith(BOT_LANE) else None


def paces_of(destination: Destination) -> tuple[Pace, ...]:
    """What a destination is bound to besides: a chat, whichever organization's messages go there."""
    if not destination.lane.startswith(BOT_LANE):
        return ()
    chat = destination.name.rpartition(" ")[2]
    paces = [Pace(f"{destination.lane} {chat}", CHAT_MESSAGES, CHAT_SECONDS + SLACK_SECONDS)]
    if chat.startswith(("-", "@")):
        paces.append(Pace(f"{destination.lane} {chat} group", GROUP_MESSAGES, GROUP_SECONDS + SLACK_SECONDS))
    return tuple(paces)
