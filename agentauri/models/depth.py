"""How deeply JSON nests and how many parts it has, found before a parser sees it: its recursion has no other end.

Python's own limit would be one, but any library may lift it for the whole process, and the stack ends below.
"""

import re
from itertools import accumulate

STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A string of JSON, closed or not."""
STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
NO_BRACKETS = bytes(set(range(256)) - set(STEPS))


def is_deeper(raw: bytes, levels: int) -> bool:
    """Whether brackets outside of strings nest deeper than ``levels``."""
    if raw.count(b"[") + raw.count(b"{") <= levels:
        return False
    brackets = STRING.sub(b"", raw).translate(None, NO_BRACKETS)
    return max(accumulate(map(STEPS.__getitem__, brackets)), default=0) > levels


def has_more(raw: bytes, containers: int) -> bool:
    """Whether there are more than so many lists and objects: a hundred thousand take the collector half a second."""
    if raw.count(b"[") + raw.count(b"{") <= containers:
        return False
    bare = STRING.sub(b"", raw)
    return bare.count(b"[") + bare.count(b"{") > containers
