"""Messages: plain sentences sent as they are written, whole entities kept, values that break nothing, safe cuts."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.channels.telegram.markup import MAX_UNITS, clean
from agentauri.channels.telegram.message import Message, read_template
from agentauri.errors import TemplateError
from agentauri.models.action import parse_action
from agentauri.models.telegram_action import ParseMode
from agentauri.models.template import parse_text
from agentauri.models.template_names import is_known
from tests.support.queue import EVENT
from tests.support.telegram_markup import CannotParse, Found, MarkdownV2, Parsed, parse

DATA: dict[str, Any] = dict(EVENT["data"])  # type: ignore[call-overload]  # EVENT is loosely typed
MARKDOWN, HTML, NONE = ParseMode.MARKDOWN, ParseMode.HTML, ParseMode.NONE
MARKUP = st.text(st.sampled_from("_*[]()~`>#+-=|{}.!\\\n <&/abpreh\"';:@é🚀\u200d\u0301\r\t"), max_size=40)
TEXTS = st.one_of(st.text(max_size=30), MARKUP)


def values(tag: str = "quality", **data: Any) -> dict[str, Any]:
    event = {**EVENT, "data": {**DATA, "tag1": tag, **data}}
    return {"event": event, "trigger": {"id": "t", "name": "Low score"}, "computed": {"1": {"ema": 61.5}}}


def render(source: str, mode: ParseMode = MARKDOWN, given: dict[str, Any] | None = None) -> Message:
    return read_template(parse_text(source, is_known), mode).render(given or values())


def show(source: str, mode: ParseMode = MARKDOWN, given: dict[str, Any] | None = None) -> Parsed:
    message = render(source, mode, given)
    parsed = parse(message.text, None if mode is NONE else mode.value)
    assert parsed.units == message.units <= MAX_UNITS
    return parsed


def entities(source: str, mode: ParseMode = MARKDOWN) -> set[tuple[str, str, str]]:
    """Type, text and argument of each."""
    parsed = show(source, mode)
    wide = parsed.text.encode("utf-16-le")
    return {
        (one.type, wide[2 * one.offset : 2 * (one.offset + one.length)].decode("utf-16-le"), one.argument)
        for one in parsed.entities
    }


@pytest.mark.parametrize("mode", [MARKDOWN, HTML, NONE])
@pytest.mark.parametrize(
    "sentence",
    [
        "Agent #42 got 59.5/100 (low) [a/b] in block 12.", "2 * 3 = 6!", "a_b", "~5 > 4 | x", "1 < 2 & 3 > 2",
        "- a\n- b", "`", "``` x", "*", "__", "||", "[a](", "[a](see below)", "![a] b", "a] b", "{x}+{y}", "C:/x <y>",
        "AT&T &nbsp; &",
        "<b>", "</b>", "<a href=x>", "<script>alert(1)</script>", "a *b", "[[x]]", "(a) [b] (c)", "a > b", "x**",
        "<b x='>", "&#0; &#99999999;", "~", "|", "\n> ", "a\n>",
    ],
)  # fmt: skip
def test_plain_sentence_is_shown_as_it_is_written(sentence: str, mode: ParseMode) -> None:
    shown = show(sentence + " .", mode)
    special = {"x**": {MARKDOWN: "x ."}, "__": {}, "\n> ": {MARKDOWN: "\n  ."}, "a\n>": {MARKDOWN: "a\n ."}}
    assert shown.text == special.get(sentence, {}).get(mode, sentence + " .")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("*bold* #1", {("bold", "bold", "")}), ("_it_.", {("italic", "it", "")}), ("__u__.", {("underline", "u", "")}),
        ("~s~.", {("strikethrough", "s", "")}), ("||sp||.", {("spoiler", "sp", "")}),
        ("`a.b{{tag1}}`.", {("code", "a.bquality", "")}),
        ("```\nx = {{score}}\n```.", {("pre", "x = 59.5\n", "")}),
        ("```python\nx.y```.", {("pre", "x.y", "python")}),
        ("```{{tag1}} x```.", {("pre", "quality x", "")}),
        ("[agent {{agent_id}}](https://x.io/{{agent_id}}?t={{tag1}}).", {
            ("text_link", "agent 42", "https://x.io/42?t=quality")}),
        ("[x](https://x.io/a\\)b).", {("text_link", "x", "https://x.io/a)b")}),
        ("*a _b_ c*.", {("bold", "a b c", ""), ("italic", "b", "")}),
        ("__u _i___ .", {("underline", "u i", ""), ("italic", "i", "")}),
        ("___i_ u__ .", {("underline", "i u", ""), ("italic", "i", "")}),
        ("_i __u___**_x_.", {("italic", "i u", ""), ("underline", "u", ""), ("italic", "x", "")}),
        ("*Score_x: {{score}}* is low_", {("bold", "Score_x: 59.5", "")}),
        ("*[*a](http://x.io)", {("bold", "[", "")}),
        (">q.\n>r\nend.", {("blockquote", "q.\nr", "")}),
        (">q.||\nend.", {("expandable_blockquote", "q.", "")}),
        (">q ||s||\nend.", {("blockquote", "q s", ""), ("spoiler", "s", "")}),
        (">a.\n**>b||", {("blockquote", "a.", ""), ("expandable_blockquote", "b", "")}),
        ("![👍](tg://emoji?id=53682) .", {("custom_emoji", "👍", "tg://emoji?id=53682")}),
        ("![a](https://x.io) .", {("text_link", "a", "https://x.io")}),
        ("🚀 *b*.", {("bold", "b", "")}),
        ("\\*a\\* \\#", set()), ("*{{tag2}}* _{{tag2}}_ x.", set()),
    ],
)  # fmt: skip
def test_whole_entity_of_markdown_is_kept_beside_unescaped_text(source: str, found: set[Any]) -> None:
    assert entities(source) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<b>b</b> & <", {("bold", "b", "")}), ("<strong>b</strong>", {("bold", "b", "")}),
        ("<i>a <u>b</u></i>", {("italic", "a b", ""), ("underline", "b", "")}),
        ('<span class="tg-spoiler">s</span>', {("spoiler", "s", "")}), ("<del>s</del>", {("strikethrough", "s", "")}),
        ('<a href="https://x.io/{{agent_id}}?a=1&amp;t={{tag1}}">x</a>', {
            ("text_link", "x", "https://x.io/42?a=1&t=quality")}),
        ("<code>a<b>c</b></code>", {("code", "ac", "")}),
        ('<pre><code class="language-python">x</code></pre>', {("pre", "x", "python")}),
        ("<blockquote expandable>q\nr</blockquote>", {("expandable_blockquote", "q\nr", "")}),
        ('<tg-emoji emoji-id="53">👍</tg-emoji>', {("custom_emoji", "👍", "53")}),
        ('<tg-time unix="1647531900" format="wDT">now</tg-time>', {("date_time", "now", "1647531900")}),
        ("<b>a <i>b</b> c</i>", {("bold", "a <i>b", "")}), ("&lt;b&gt;", set()), ("<b>{{tag2}}</b> x", set()),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", {("blockquote", "ab", "")}),
    ],
)  # fmt: skip
def test_whole_entity_of_html_is_kept_beside_unescaped_text(source: str, found: set[Any]) -> None:
    assert entities(source, HTML) == found


def test_reference_in_html_stands_for_its_character() -> None:
    assert show("&lt;b&gt; &amp;amp; &quot;&#65;&#x42;", HTML).text == '<b> &amp; "AB'


@given(TEXTS)
def test_value_is_shown_exactly_wherever_it_stands(tag: str) -> None:
    source = (
        "a {{tag1}} *b{{tag1}}* _{{tag1}}_ `c{{tag1}}` ||{{tag1}}|| .\n>q{{tag1}}\n{{tag1}}\n[x{{tag1}}](https://x.io)"
    )
    value = clean(tag)
    expected = f"a {value} b{value} {value} c{value} {value} .\nq{value}\n{value}\nx{value}"
    assert show(source, MARKDOWN, values(tag)).text == expected
    tags = "a {{tag1}} <b>{{tag1}}</b> <code>{{tag1}}</code> <pre>{{tag1}}</pre> <a href='http://x.io'>x{{tag1}}</a>"
    assert show(tags, HTML, values(tag)).text == f"a {value} {value} {value} {value} x{value}"
    assert show("a {{tag1}}", NONE, values(tag)).text == f"a {value}"


@given(TEXTS, TEXTS, TEXTS)
def test_whatever_template_and_values_the_message_parses(before: str, after: str, tag: str) -> None:
    source = f"{before}{{{{tag1}}}}{after}"
    if "{{" in before + after or before.endswith("{") or source.count("{{") != 1 or source.count("}}") != 1:
        return
    for mode in ParseMode:
        try:
            shown = show(source, mode, values(tag))
        except TemplateError:
            continue
        if mode is NONE:
            assert shown.text == clean(before) + clean(tag) + clean(after)


@given(MARKUP)
def test_what_telegram_takes_as_it_stands_keeps_its_meaning(source: str) -> None:
    source = clean(source)
    if "{{" in source or "```" in source:
        return
    try:
        meant = MarkdownV2(source).parse()
    except CannotParse:
        return
    if (
        any(one.type in ("text_link", "custom_emoji") for one in meant.entities)
        or not meant.text.strip()
        or "[" in source
    ):
        return
    assert show(source) == meant or show(source).text == meant.text


def test_link_that_a_value_leads_astray_is_text() -> None:
    for address in ("javascript:alert(1)", "data:text/html,x", "ipfs://x", "", "tg://resolve?domain=x"):
        given = values(feedback_uri=address)
        assert render("[file]({{file_uri}}) .", MARKDOWN, given).text == "file \\."
        assert render('<a href="{{file_uri}}">file</a>', HTML, given).text == "file"
    (found,) = show("[file]({{file_uri}})", MARKDOWN, values(feedback_uri="https://x.io/a b)c\\")).entities
    assert found == Found(0, 4, "text_link", "https://x.io/a%20b)c%5C")
    (found,) = show("[file](https://x.io/{{tag1}})", MARKDOWN, values("../?a=1&b")).entities
    assert found.argument == "https://x.io/..%2F%3Fa%3D1%26b"


def test_what_a_value_contains_is_never_expanded_again() -> None:
    assert show("{{tag1}}", MARKDOWN, values("{{agent_id}}")).text == "{{agent_id}}"


def test_example_of_the_documentation_is_shown_as_it_says() -> None:
    page = (Path(__file__).parents[4] / "docs" / "telegram.md").read_text("utf-8")
    action = parse_action(json.loads(page.partition("```json")[2].partition("```")[0]))
    shown = show(action.config["message_template"], ParseMode(action.config["parse_mode"]))
    assert shown.text == "Agent #42 got 59.5/100 [quality] from 0x1111…1111."
    assert [one.type for one in shown.entities] == ["bold", "code"]


def test_filters_come_before_escaping() -> None:
    assert show('*{{client_address | short}}* {{tag2 | default:"(none)"}}').text == "0x1111…1111 (none)"


@pytest.mark.parametrize("mode", ParseMode)
@pytest.mark.parametrize("char", ["a", ".", "🚀", "<", "e\u0301", "👩\u200d🚀"])
def test_long_message_is_cut_with_an_ellipsis_between_characters(mode: ParseMode, char: str) -> None:
    shown = show("x{{tag1}}", mode, values(char * 5000))
    assert shown.text[-1] == "…"
    assert MAX_UNITS - 16 <= shown.units <= MAX_UNITS
    assert shown.text[1:-1] == char * (len(shown.text[1:-1]) // len(char))


@pytest.mark.parametrize("mode", ParseMode)
def test_message_of_exactly_the_limit_is_whole(mode: ParseMode) -> None:
    message = render("{{tag1}}", mode, values("." * MAX_UNITS))
    assert (message.units, message.is_cut) == (MAX_UNITS, False)
    assert render("{{tag1}}", mode, values("." * (MAX_UNITS + 1))).is_cut


def test_cut_never_falls_into_a_short_entity() -> None:
    parsed = show("{{tag1}}*bold text* end", MARKDOWN, values("." * 4090))
    assert parsed.text == "." * 4090 + "…"
    assert parsed.entities == []


@pytest.mark.parametrize("source", ["*a{{tag1}}*", ">a{{tag1}}||", "[a{{tag1}}](http://x.io)", "`a{{tag1}}`"])
def test_entity_longer_than_a_message_is_cut_and_closed(source: str) -> None:
    parsed = show(source, MARKDOWN, values("`" * 5000))
    (found,) = parsed.entities
    assert found.length == parsed.units > MAX_UNITS - 4


def test_ellipsis_after_an_expandable_quote_does_not_end_in_it() -> None:
    parsed = show(">{{tag1}}||\n*bold*", MARKDOWN, values("a" * 4093))
    assert parsed.text == "a" * 4093 + "\n…"
    assert [one.type for one in parsed.entities] == ["expandable_blockquote"]


def test_empty_message_is_refused_and_says_why() -> None:
    for mode in ParseMode:
        with pytest.raises(TemplateError, match="empty"):
            render(" {{tag2}} ", mode)


@pytest.mark.parametrize(
    "source",
    [
        "[" * 16000, "[](" * 5000, "*_" * 8000, "`" * 16001, "```a" * 4000, "[*_~||" * 2500, "]" * 16000, "![" * 8000,
        "<b>" * 5000, "<a " * 5000, "&#" * 8000, "\n>" * 8000, "\\" * 16001, "`{{tag1}}` " * 1200, ">" + "||" * 8000,
        "[x](http://x.io)" * 1000, "<b <" * 4000, "<a href='" * 1800, "_" * 16000,
    ],
)  # fmt: skip
def test_no_template_takes_long_to_read(source: str) -> None:
    began = time.process_time()
    for mode in ParseMode:
        show(source + "x", mode)
    assert time.process_time() - began < 0.5
