"""YAML by the rules of version 1.2, without its traps.

``0x…`` stays text, ``no`` stays a word, a time stays as written; numbers keep all their digits; a key that stands
twice is an error. What ``Dumper`` writes any reader of YAML takes for the same.
"""

import re
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import yaml

MAX_DEPTH = 64
"""Of nesting; counted, because Python's own limit may be lifted for the whole process by any library."""
OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029]")
"""What ends a line in YAML too, and would be read as another one in a block of lines."""
INTEGER, FLOAT, MERGE = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "merge"))


class Loader(yaml.SafeLoader):
    """YAML's core schema of version 1.2, without keys that stand twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the parent's own way to declare it
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node. Raises ComposerError where it nests too deeply."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {MAX_DEPTH} levels", None)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping. Raises ConstructorError for a key that is there twice or is no text."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, "a key has to be text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _scalar(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):  # a tag that was written on something else
        raise yaml.constructor.ConstructorError(None, None, "a number was expected", node.start_mark)
    return str(loader.construct_scalar(node))


def exact(text: str) -> float | str:
    """A number with a point; as text where a float would not keep all its digits."""
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else text


def _integer(loader: yaml.SafeLoader, node: yaml.Node) -> int:
    return int(_scalar(loader, node))


def _float(loader: yaml.SafeLoader, node: yaml.Node) -> float | str:
    return exact(_scalar(loader, node))


Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z", re.IGNORECASE), list("tTfF"))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)\Z", re.IGNORECASE), ["~", "n", "N", ""])
Loader.add_implicit_resolver(MERGE, re.compile(r"<<\Z"), ["<"])
Loader.add_implicit_resolver(INTEGER, re.compile(r"[-+]?[0-9]+\Z"), list("-+0123456789"))
Loader.add_implicit_resolver(
    FLOAT, re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"), list("-+.0123456789")
)
Loader.add_constructor(INTEGER, _integer)
Loader.add_constructor(FLOAT, _float)


class Dumper(yaml.SafeDumper):
    """Quotes every text that any reader of YAML could take for something else; repeats instead of aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """Always."""
        return True


def _text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_ -]*", text) and not text.endswith(" ")
    lines = "\n" in text and not OTHER_BREAKS.search(text)
    style = "|" if lines else None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)
