"""A template and the values of a delivery become the text of a message that fits and parses.

A message that is too long is cut, not refused: what is reported of the chain may be many kilobytes long. One pass:
what a value contains is never expanded again, nor taken for markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agentauri.channels.telegram import html, markdown
from agentauri.channels.telegram.links import filled
from agentauri.channels.telegram.markup import (
    ADDRESSED,
    MAX_UNITS,
    Entity,
    Leaf,
    Node,
    Shown,
    ShownEntity,
    clean,
    fitted,
    shown_text,
    source_of,
    units,
    width,
)
from agentauri.channels.templates import Values, evaluate, to_text
from agentauri.errors import TemplateError
from agentauri.models.telegram_action import ParseMode
from agentauri.models.template import MAX_RESULT_BYTES, Placeholder, Text

EMPTY = "the message is empty: none of the template's values is there, and Telegram sends no empty messages."


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent as ``text``, and what will be seen of it: its length as Telegram counts, and whether it was cut."""

    text: str
    units: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A template that was read in its parse mode."""

    parse_mode: ParseMode
    nodes: tuple[Node, ...]

    def render(self, values: Values) -> Message:
        """The message. Raises TemplateError when it is empty, or its markup is larger than 64 KiB."""
        shown, is_cut = fitted(_Filling(values).nodes(self.nodes))
        if not shown_text(shown).strip():
            raise TemplateError(EMPTY)
        text = _write(self.parse_mode, shown)
        if len(text.encode()) > MAX_RESULT_BYTES:
            raise TemplateError(f"the template's result is larger than {MAX_RESULT_BYTES} bytes.")
        return Message(text, width(shown), is_cut)


def read_template(template: Text, parse_mode: ParseMode) -> MessageTemplate:
    """Read a parsed template as its parse mode reads it. Every template can be."""
    source = source_of(template)
    match parse_mode:
        case ParseMode.MARKDOWN:
            return MessageTemplate(parse_mode, markdown.read(source))
        case ParseMode.HTML:
            return MessageTemplate(parse_mode, html.read(source))
        case ParseMode.NONE:
            return MessageTemplate(parse_mode, source.leaves())


def _write(parse_mode: ParseMode, nodes: Sequence[Shown]) -> str:
    match parse_mode:
        case ParseMode.MARKDOWN:
            return markdown.write(nodes)
        case ParseMode.HTML:
            return html.write(nodes)
        case ParseMode.NONE:
            return shown_text(nodes)


class _Filling:
    """One filling of a tree. Once more is there than a message shows, nothing more is filled in."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._left = MAX_UNITS + 1

    def nodes(self, nodes: Sequence[Node]) -> tuple[Shown, ...]:
        """The tree without placeholders, and without entities that show nothing."""
        found: list[Shown] = []
        for node in nodes:
            if self._left <= 0:
                break
            for shown in self._node(node):
                if isinstance(shown, str) and found and isinstance(found[-1], str):
                    found[-1] += shown
                elif shown != "":
                    found.append(shown)
        return tuple(found)

    def _node(self, node: Node) -> tuple[Shown, ...]:
        if not isinstance(node, Entity):
            return (self._text(node),)
        children = self.nodes(node.children)
        if node.kind not in ADDRESSED:
            argument: str | None = "".join(leaf for leaf in node.argument if isinstance(leaf, str))
        else:
            argument = filled(node.kind, node.argument, self._value)
        if argument is None or not children:
            return children
        return (ShownEntity(node.kind, children, argument),)

    def _text(self, leaf: Leaf) -> str:
        text = leaf if isinstance(leaf, str) else self._value(leaf)
        text = text[: self._left]
        self._left -= units(text)
        return text

    def _value(self, placeholder: Placeholder) -> str:
        return clean(to_text(evaluate(placeholder, self._values)))
