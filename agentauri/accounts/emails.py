"""What counts as an e-mail address and as a user name, and how they are compared.

An address is checked for form alone: that somebody reads it is what e-mail verification is for, so reserved
domains such as ``.test`` are not refused. Both are stored as written (an
address trimmed, in Unicode NFC) and unique without case.
"""

import re
import unicodedata

import email_validator

email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

USERNAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{2,31}$"
USERNAME_RULE = "must be 3 to 32 letters, digits, '.', '_' or '-', beginning with a letter or a digit."


def parse_email(raw: object) -> str:
    """The address in its normal form. Raises ValueError with a sentence that says what is wrong with it."""
    try:
        return email_validator.validate_email(str(raw).strip(), check_deliverability=False).normalized
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"is no e-mail address: {str(error)[:200]}") from None


def login_name(raw: str) -> str:
    """An address or a user name as it is looked for, whoever may have it or not."""
    return unicodedata.normalize("NFC", raw.strip())


def parse_username(raw: object) -> str:
    """The user name. Raises ValueError; an @ is not allowed, so a name is never taken for an address."""
    if not isinstance(raw, str) or not re.fullmatch(USERNAME, raw):
        raise ValueError(USERNAME_RULE)
    return raw
