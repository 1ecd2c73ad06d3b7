"""The base of every table of settings: what their classes have in common, wherever they stand."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the file: frozen, and strict about unknown keys. The text under a field is its documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
