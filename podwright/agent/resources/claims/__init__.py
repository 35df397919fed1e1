"""ResourceClaims: devices that the scheduler has chosen and that drivers prepare on this node (DRA).

`references` finds the claims of a pod, `api` reads them, `drivers` calls the plug-ins that prepare them. `records` and
`checkpoint` keep prepared claims, `health` and `health_file` the health of their devices. `slices` deletes the
ResourceSlices of drivers that are gone. `manager` ties them together.
"""
