"""In-place resize: what pods were allocated and have, kept over restarts, and which resizes this node takes.

`resizes` ties the parts together. `allocator` decides about each resize, in the `order` of those that wait:
`feasibility` says which can never be done. `conditions` and `messages` are what people see. `records` keeps what was
allocated and actuated, in files of the kubelet's format (`checkpoint`).
"""
