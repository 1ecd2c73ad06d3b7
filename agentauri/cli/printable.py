"""Text from elsewhere, made safe for a terminal.

Names, tags and URIs are written by strangers, on chain even; escape sequences in them could move the cursor, change
what was printed before, or answer for the user. Guarantees that no control, format or surrogate character gets out.
"""

MAX_LENGTH = 200


def printable(raw: object, longest: int = MAX_LENGTH) -> str:
    """``raw`` as one line of at most ``longest`` characters; what is not printable is shown escaped."""
    text = str(raw)
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
