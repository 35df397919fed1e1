"""What is said of files that cannot be used."""

from __future__ import annotations

import errno

import pytest

from podwright.cli.files import doing
from podwright.errors import InvalidArgument


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.tar.part"), "No such file or directory"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    ],
)
def test_a_failure_names_the_act_and_the_file(failure: OSError, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught, doing("write the archive", "a.tar", hint="choose another"):
        raise failure
    assert str(caught.value) == f"cannot write the archive a.tar: {message} (choose another)"


@pytest.mark.parametrize("failure", [BrokenPipeError(errno.EPIPE, "Broken pipe"), TimeoutError()])
def test_what_is_no_failure_of_the_file_is_left_as_it_is(failure: OSError) -> None:
    with pytest.raises(type(failure)), doing("read", "a.tar"):
        raise failure
