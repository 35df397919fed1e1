"""The Container Device Interface: vendors' files say how to edit a container's spec for a device.

`names` finds the devices of a request, `document` parses a file, `registry` finds the file of a device, `nodes` adds
the host's data about device nodes, and `apply` makes the edits. `Cdi` joins them for `container`.
"""

from podwright.runtime.cdi.registry import Cdi

__all__ = ["Cdi"]
