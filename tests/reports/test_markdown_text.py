"""What is escaped, another parser of Markdown reads as it was."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reports.markdown_text import escape, escape_cells, format_table

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ANY_TEXT = st.text(st.one_of(st.sampled_from("[]()*_`~|\\<>#&!-+=.1 \n\t$:"), st.characters(codec="utf-8")))


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def words(text: str) -> list[str]:
    return "".join(letter if letter.isprintable() else " " for letter in text).split()


@given(ANY_TEXT)
@example("- x")
@example("1. x")
@example("===")
@example("---")
@example("+")
@example("12) x")
def test_a_paragraph_stays_one(text: str) -> None:
    page = Page(PARSER.render(f"before\n\n{escape(text)}\n\nafter"))
    assert page.tags == ["p"] * (3 if words(text) else 2)
    assert words(page.text) == ["before", *words(text), "after"]


@given(ANY_TEXT)
def test_a_cell_stays_one(text: str) -> None:
    lines = [*escape_cells([[text, "x"]]), ["y", "z"]]
    page = Page(PARSER.render(format_table(["heading", "next"], lines)))
    assert page.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td", "tr", "td", "td"]
    assert words(page.text) == ["heading", "next", *words(text), "x", "y", "z"]
