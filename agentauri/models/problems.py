"""Collects everything that is wrong with an input, each with the place where it stands.

A form wants all its mistakes at once, so validators note problems and go on; ``refuse`` ends them in one
InvalidRequest. Guarantees RFC 6901 pointers. Knows nothing of what is validated.
"""

from agentauri.errors import InvalidRequest


class Problems:
    """What was found so far, in the order in which it was found."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def add(self, pointer: str, detail: str) -> None:
        """Note that the value at ``pointer`` is wrong; ``detail`` says what would be right."""
        self._found.append((pointer, detail))

    def __len__(self) -> int:
        return len(self._found)

    def refuse(self, what: str) -> None:
        """Raise InvalidRequest about ``what`` if anything was noted."""
        if self._found:
            raise InvalidRequest(f"{what}: {self._found[0][0]}: {self._found[0][1]}", self._found)


def step(pointer: str, key: str | int) -> str:
    """The pointer of ``key`` inside the value at ``pointer``."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
