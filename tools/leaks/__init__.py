"""Tells what a run left behind on this machine: a snapshot before, a snapshot after, and the difference.

Used by the test suite's last step and by the demo. It only looks; killing, unmounting and deleting is the work of
whoever made the things.
"""

from tools.leaks.cgroups import remove_empty_parents
from tools.leaks.report import report
from tools.leaks.snapshot import PODS, leaked, snapshot
from tools.leaks.thing import Scope, Thing

__all__ = ["PODS", "Scope", "Thing", "leaked", "remove_empty_parents", "report", "snapshot"]
