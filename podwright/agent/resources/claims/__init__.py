"""ResourceClaims: devices that a scheduler has chosen, and that drivers prepare on this node (DRA).

`references` says which claims a pod has, `api` reads them, `drivers` talk to the plug-ins that prepare them, `records`
and `checkpoint` keep what is prepared, `slices` withdraws the offers of drivers that are gone. `manager` ties them
together.
"""
