"""Finding the common block after a fork: the newest of the remembered blocks that the chain still has.

Blocks are remembered newest first: recent ones, then those with events. Whoever asks gets a block below which nothing
needs to be taken back; what lay between it and the next remembered block had no events.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from agentauri.models.log import BlockRef

AskHashes = Callable[[Sequence[int]], Awaitable[Mapping[int, str]]]
"""Block numbers → hashes of those that the chain has."""


async def common_block(pages: AsyncIterator[Sequence[BlockRef]], ask: AskHashes) -> BlockRef | None:
    """The newest remembered block that is still in the chain; None when none is.

    ``pages`` are remembered blocks, newest first, as many at a time as one batch may ask for.
    """
    async for page in pages:
        hashes = await ask([block.number for block in page])
        for block in page:
            if hashes.get(block.number) == block.hash:
                return block
    return None
