"""Passwords: what is a good one, and Argon2id in a bounded pool.

Hashing takes 19 MiB and some 50 ms of a core by intent, so it never runs on the event loop, never more often at
once than there are threads, and the line of waiters is bounded: past it, logins are refused, not stacked up.
Its threads give way to all else on the machine: a storm of logins makes logins slow, and nothing else.
An unknown user costs the same hash as a wrong password, so that time tells nothing.
What is hashed is the password in Unicode's composed form (NFC, RFC 8265): keyboards differ in how they write an é.
"""

import asyncio
import math
import os
import sys
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn
from zxcvbn.matching import L33T_TABLE

from agentauri.errors import Unavailable

MIN_LENGTH = 12
MAX_LENGTH = 128
MIN_SCORE = 3
"""Of zxcvbn's 0–4: not guessed within 10^8 tries."""
SCORED_LENGTH = 72
"""zxcvbn takes no more characters; a password's head decides."""
MAX_READINGS = 8
"""Of the signs in a password as letters: zxcvbn's time grows with them, to seconds; people's passwords have a few."""
TWINS = str.maketrans({"@": "4", "{": "(", "[": "(", "<": "(", "!": "1", "|": "1", "$": "5", "+": "7"})
"""Signs that are read as the same letter as another one."""
HASHING_NICENESS = 10
"""Added to the threads that hash: a tenth of the share of a core that others get when both want it."""
MIN_NAME_LENGTH = 3
"""Shorter names occur inside good passwords by chance."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Cost:
    """Argon2id's parameters. The defaults are those of production; tests lower them."""

    memory_kib: int = 19 * 1024
    iterations: int = 2
    lanes: int = 1


PRODUCTION = Cost()


def find_weakness(password: str, *, username: str | None, email: str | None) -> str | None:
    """What is wrong with a new password and how to mend it, as one sentence; None: nothing.

    Takes up to 70 ms for hostile input: call it through ``Passwords.check``.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        return f"must have {MIN_LENGTH} to {MAX_LENGTH} characters."
    for name in names_in(username, email):
        if name in _composed(password).casefold():
            return "must not contain the user name or the e-mail address."
    if zxcvbn(_scored(password))["score"] < MIN_SCORE:
        return "is too easy to guess; use several uncommon words or a longer random text."
    return None


def _composed(password: str) -> str:
    return unicodedata.normalize("NFC", password)


def _scored(password: str) -> str:
    """What zxcvbn is given. It looks up all words again for every way to read signs as letters (``$`` as s, ``1`` as i
    or l); where there are many, as hostile input has hundreds for seconds of work, twins are written as one."""
    head = password[:SCORED_LENGTH]
    found = set(head)
    readings = math.prod(max(1, len(found.intersection(signs))) for signs in L33T_TABLE.values())
    return head if readings <= MAX_READINGS else head.translate(TWINS)


def names_in(username: str | None, email: str | None) -> set[str]:
    """What a password must not contain, in lower case: the user name, the e-mail, and the part before its @."""
    names = {username or "", email or "", (email or "").partition("@")[0]}
    return {name.casefold() for name in names if len(name) >= MIN_NAME_LENGTH}


def _give_way() -> None:
    """Let the calling thread run after others. Only on Linux is it the thread's niceness, elsewhere the process's."""
    if sys.platform == "linux":
        os.nice(HASHING_NICENESS)


class Passwords:
    """Hashes and verifies on ``threads`` threads, with at most ``max_waiting`` calls under way or in line.

    One thread is for a process that has brothers: more hashes at a time than cores take turns, and all wait longer.
    """

    def __init__(self, *, cost: Cost = PRODUCTION, threads: int = 1, max_waiting: int = 128) -> None:
        self._hasher = PasswordHasher(cost.iterations, cost.memory_kib, cost.lanes)
        self._dummy = self._hasher.hash("nobody's password")
        self._hashing = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_give_way)
        # Apart, for it is Python: who gives way with the interpreter's lock in its hand makes all others wait.
        self._scoring = ThreadPoolExecutor(1, thread_name_prefix="zxcvbn")
        self._free = max_waiting

    async def check(self, password: str, *, username: str | None, email: str | None) -> str | None:
        """``find_weakness`` off the event loop."""
        return await self._run(self._scoring, lambda: find_weakness(password, username=username, email=email))

    async def hash(self, password: str) -> str:
        """The encoded Argon2id hash. Raises Unavailable when the line is too long."""
        return await self._run(self._hashing, lambda: self.hash_now(password))

    def hash_now(self, password: str) -> str:
        """``hash`` in the calling thread, for who has no event loop."""
        return self._hasher.hash(_composed(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one behind ``stored``; None takes as long and is never true."""
        return await self._run(self._hashing, lambda: self._verify(stored, password))

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters and should be renewed at this login."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads go; hashes under way finish."""
        for pool in (self._hashing, self._scoring):
            pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(stored or self._dummy, _composed(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
        if self._free <= 0:
            raise Unavailable("too many passwords are being checked at this moment; try again in a few seconds.")
        self._free -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        finally:
            self._free += 1
