"""Dates in headers."""

from __future__ import annotations

from email.utils import formatdate, parsedate_to_datetime

from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.server.http.dates import http_date


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_a_date_is_what_the_library_for_e_mails_makes(seconds: int) -> None:
    assert http_date(seconds) == formatdate(seconds, usegmt=True)


def test_now_is_a_date() -> None:
    assert parsedate_to_datetime(http_date()).year >= 2026
