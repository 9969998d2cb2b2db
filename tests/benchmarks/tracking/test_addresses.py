"""No password is shown, and what is none is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.errors import UserError
from benchmarks.tracking.addresses import checked_uri, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:secret@host/db", "postgresql://host/db"),
        ("postgresql+pg8000://me:se@cr/et@host:5432/db", "postgresql+pg8000://host:5432/db"),
        ("http://token@host:5000/", "http://host:5000/"),
        ("http://host:5000/path", "http://host:5000/path"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?user=me&password=***"),
        ("http://host/api?access_token=secret&x=1", "http://host/api?access_token=***&x=1"),
        ("sqlite:////data/me@lab/mlflow.db", "sqlite:////data/me@lab/mlflow.db"),
        ("me:secret@host/db", "host/db"),
        ("API request to http://u:secret@h/api/2.0 failed", "API request to http://h/api/2.0 failed"),
        ("'http://u:secret@h' and \"mysql://v:secret@k/d\"", "'http://h' and \"mysql://k/d\""),
        ("no URL: at 10:30 me@lab.org wrote", "no URL: at 10:30 me@lab.org wrote"),
    ],
)
def test_what_is_shown(text: str, expected: str) -> None:
    assert shown(text) == expected


PRINTABLE = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126, exclude_characters="'\""))


@given(PRINTABLE, st.sampled_from(["postgresql", "mysql+pymysql", "http", "https", "mssql"]), st.booleans())
def test_no_password_is_shown_whatever_is_in_it(rest: str, scheme: str, in_text: bool) -> None:
    uri = f"{scheme}://user:SECRET{rest}SECRET@host/db"
    text = shown(f"cannot reach {uri} now" if in_text else uri)
    assert "SECRET" not in text and "user" not in text and "host/db" in text


@pytest.mark.parametrize("uri", ["postgresql://me:secret@host:port/db", "mysql://me:sec/ret@host:1x/db"])
def test_a_uri_that_cannot_be_read_is_an_error_without_its_password(uri: str) -> None:
    with pytest.raises(UserError, match="cannot be read") as caught:
        checked_uri(uri)
    assert "sec" not in str(caught.value).replace("PASSWORD", "")
