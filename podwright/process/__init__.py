"""The only way in which Podwright starts programs.

`runner` starts them, with `pipes` for input and output, and `descriptors` that coroutines read and write. `orphans`
reaps orphans of our children.
"""

from podwright.process.descriptors import FdReader, FdWriter
from podwright.process.orphans import adopt_orphans
from podwright.process.pipes import OutputPipe, read_line
from podwright.process.runner import (
    SAFE_PATH,
    Command,
    Completed,
    PosixProcessRunner,
    Process,
    ProcessRunner,
    find_executable,
    has_program,
    keep_descriptors_to_ourselves,
    new_pipe,
    search_path,
)

__all__ = [
    "SAFE_PATH",
    "Command",
    "Completed",
    "FdReader",
    "FdWriter",
    "OutputPipe",
    "PosixProcessRunner",
    "Process",
    "ProcessRunner",
    "adopt_orphans",
    "find_executable",
    "has_program",
    "keep_descriptors_to_ourselves",
    "new_pipe",
    "read_line",
    "search_path",
]
