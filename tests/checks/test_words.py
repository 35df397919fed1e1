"""Plain words in docstrings and comments, and one format of logs: see docs/glossary.md."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "podwright"
GENERATED = ("k8s/objects/", "cri/v1/", "api/v1/")
CODE = re.compile(r"`[^`]*`")

# Turned-around phrases, and words that say little, with what to write instead.
PHRASES = {
    r"\bhence\b": "so",
    r"\bthat (is|are) none\b": "invalid",
    r"\bwhat is left of it is\b": "name it",
    r"\b(is|are) told (of|that)\b": "name the call or the message",
    r"\bhears? of\b": "is called for, learns",
    r"\bknows? of\b": "knows, sees",
    r"\bdeeds?\b": "change, action",
    r"\bin the words of\b": "in the format of, as in",
    r"\bwithout a word\b": "silently",
    r"\bhas gone meanwhile\b": "is gone",
    r"\bthe field's (way|tools|runtimes|programs|conventions)\b": "name the programs",
    r"\bwhoever must\b": "name the caller",
    r"\b(is|are) fine\b": "Does nothing if, Succeeds if",
    r"\bfor ever\b": "forever, for good",
    r"\b(all|[Pp]ure) but\b": "all except, pure except",
    r"\bshall\b": "must, is to",
    r"\bof (its|their) own accord\b": "unasked, by itself",
    r"\b[Ff]ulfils?\b": "implements, meets",
    r"\bfor want of\b": "for lack of",
}

# "what happened", or "what happened: key=value key=value"
LOG_LINE = re.compile(r"[^:=%]+(: (\w+|%s)=%\S+( (\w+|%s)=%\S+)*)?")


def test_no_docstring_chains_sentences_with_semicolons() -> None:
    assert [(str(path), text) for path, text in _docstrings() if ";" in CODE.sub("", text)] == []


def test_docstrings_and_comments_are_direct() -> None:
    texts = [*_docstrings(), *_comments()]
    assert [(str(path), phrase) for path, text in texts for phrase in PHRASES if re.search(phrase, text)] == []


def test_no_docstring_only_points_at_a_name() -> None:
    pointing = re.compile(r"See (the module's text|`?[\w.]+`?)\.?")
    assert [(str(path), text) for path, text in _docstrings() if pointing.fullmatch(text)] == []


def test_every_log_line_has_one_format() -> None:
    assert [(str(path), line) for path, line in _log_lines() if not LOG_LINE.fullmatch(line)] == []


def test_the_log_format_is_what_the_glossary_shows() -> None:
    assert LOG_LINE.fullmatch("container has exited: id=%s code=%d reason=%s")
    assert not LOG_LINE.fullmatch("container %s has exited")
    assert not LOG_LINE.fullmatch("the network is not ready: %s")


def _files() -> Iterator[tuple[Path, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if not path.relative_to(PACKAGE).as_posix().startswith(GENERATED):
            yield path, path.read_text()


@cache
def _docstrings() -> tuple[tuple[Path, str], ...]:
    return tuple(
        (path, ast.get_docstring(node) or "")
        for path, source in _files()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _comments() -> Iterator[tuple[Path, str]]:
    for path, source in _files():
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield path, token.string


def _log_lines() -> Iterator[tuple[Path, str]]:
    for path, source in _files():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                logger = node.func.value
                if isinstance(logger, ast.Name) and logger.id == "log" and isinstance(node.args[0], ast.Constant):
                    yield path, str(node.args[0].value)
