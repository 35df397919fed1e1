"""The Container Device Interface: what vendors' files ask to be changed in a container's spec for a device's sake.

`names` says which devices a request means, `document` what a file says, `registry` which file has a device, `nodes`
what the host knows of its device nodes, and `apply` makes the changes. `Cdi` joins them for `container`.
"""

from podwright.runtime.cdi.registry import Cdi

__all__ = ["Cdi"]
