"""The one gateway through which Podwright starts programs. See `runner`."""

from podwright.process.runner import Command, Completed, PosixProcessRunner, Process, ProcessRunner

__all__ = ["Command", "Completed", "PosixProcessRunner", "Process", "ProcessRunner"]
