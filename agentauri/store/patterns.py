"""Text that users search for, as patterns of LIKE in which nothing but the text itself matches."""


def containing(text: str | None) -> str | None:
    """The pattern of whatever contains ``text``; None stays None."""
    if text is None:
        return None
    literal = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{literal}%"
