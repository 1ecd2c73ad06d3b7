"""How many blocks to ask a provider for at once: halved when it refuses, grown again while it answers.

Pure. A size that was refused becomes a ceiling, and growth halves the distance to it, so a fixed limit is found in a
few steps and then kept to; after a long run of answers the ceiling is lifted, for many limits are on results, not
on blocks.
"""

RECONSIDER_AFTER = 64
"""Answers in a row after which a ceiling is no longer believed."""


class AdaptiveRange:
    """The number of blocks, between 1 and ``most``, that one question may span."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = most
        self._ceiling = most
        self._answers = 0

    def shrink(self) -> bool:
        """The size was refused: halve it. False when it is one block already."""
        if self.size == 1:
            return False
        self._ceiling = self.size - 1
        self.size //= 2
        self._answers = 0
        return True

    def grow(self) -> None:
        """The size was answered: take a step towards the ceiling."""
        self._answers += 1
        if self._answers >= RECONSIDER_AFTER:
            self._answers = 0
            self._ceiling = min(2 * self._ceiling, self.most)
        self.size = (self.size + self._ceiling + 1) // 2
