"""Which proxy the environment names."""

from __future__ import annotations

import pytest

from podwright.proxies import choose

PROXY = "http://p:3128"


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://r.io/v2/", {}, None),
        ("https://r.io/v2/", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://r.io/v2/", {"https_proxy": PROXY, "HTTPS_PROXY": ""}, PROXY),
        ("https://r.io/v2/", {"https_proxy": "http://lower", "HTTPS_PROXY": PROXY}, PROXY),
        ("https://r.io/v2/", {"HTTP_PROXY": PROXY}, None),
        ("http://r.io/v2/", {"HTTP_PROXY": "p:3128"}, PROXY),
        ("http://127.0.0.1:5000/", {"HTTP_PROXY": PROXY}, None),
        ("http://localhost:5000/", {"HTTP_PROXY": PROXY}, None),
        ("http://[::1]:5000/", {"HTTP_PROXY": PROXY}, None),
    ],
)
def test_which_variable_counts(url: str, environ: dict[str, str], proxy: str | None) -> None:
    assert choose(url, environ) == proxy


@pytest.mark.parametrize(
    ("exceptions", "host", "directly"),
    [
        ("*", "r.io", True),
        ("r.io", "r.io", True),
        ("r.io", "a.r.io", True),
        ("r.io", "ar.io", False),
        (".r.io", "r.io", False),
        (".r.io", "a.r.io", True),
        ("*.r.io", "a.r.io", True),
        ("R.IO", "r.io", True),
        ("a, r.io ,b", "r.io", True),
        ("r.io:443", "r.io", True),
        ("r.io:444", "r.io", False),
        ("r.io:444", "r.io:444", True),
        ("10.0.0.0/8", "10.1.2.3:5000", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.1/8", "10.9.9.9", True),
        ("10.0.0.0/8", "r.io", False),
        ("10.1.2.3", "10.1.2.3:5000", True),
        ("10.1.2.3:5001", "10.1.2.3:5000", False),
        ("2.3", "10.1.2.3", False),
        ("fd00::/8", "[fd00::1]:5000", True),
        ("fd00::1", "[fd00::1]:5000", True),
        ("[fd00::1]:5000", "[fd00::1]:5000", True),
        ("[fd00::1]:5001", "[fd00::1]:5000", False),
        ("nonsense/99,/,:,::", "r.io", False),
        ("", "r.io", False),
    ],
)
def test_who_is_reached_directly(exceptions: str, host: str, directly: bool) -> None:
    assert (choose(f"https://{host}/v2/", {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}) is None) == directly


@pytest.mark.parametrize("value", ["socks5://p:1080", "ftp://me:hush@p", "http://", "me:hush@p:abc", "http://[::1"])
def test_what_is_no_proxy(value: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY is not") as refusal:
        choose("https://r.io", {"HTTPS_PROXY": value})
    assert "hush" not in str(refusal.value)
