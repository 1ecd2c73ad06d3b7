"""How many blocks to ask a provider for at once: halved when it refuses, grown again while it answers.

Pure. A size that was refused becomes a ceiling, and growth halves the distance to it, so a fixed limit is found in a
few steps and then kept to. A refusal after answers falls back no further than to the size that was answered last; if
that is refused too, the limit is on results, and halving goes on. After a long run of answers the ceiling is tried.
"""

RECONSIDER_AFTER = 64
"""Answers in a row after which a ceiling is no longer believed."""
LIFT = 8
"""A ceiling is then lifted by this part of it."""


class AdaptiveRange:
    """The number of blocks, between 1 and ``most``, that one question may span."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = most
        self._ceiling = most
        self._answered = 0
        self._in_a_row = 0

    def refused(self, blocks: int) -> bool:
        """So many blocks were refused: take fewer. False when it was one block already."""
        if blocks == 1:
            return False
        if self._answered >= blocks:
            self._answered = 0
        self._ceiling = blocks - 1
        self.size = max(blocks // 2, self._answered)
        self._in_a_row = 0
        return True

    def answered(self, blocks: int) -> None:
        """So many blocks were answered: if that was all that may be asked for, take a step towards the ceiling."""
        if blocks < self.size:
            return
        self._answered = blocks
        self._in_a_row += 1
        if self._in_a_row >= RECONSIDER_AFTER:
            self._in_a_row = 0
            self._ceiling = min(self._ceiling + self._ceiling // LIFT + 1, self.most)
        self.size = (self.size + self._ceiling + 1) // 2
