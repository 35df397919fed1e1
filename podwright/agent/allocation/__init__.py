"""In-place resize: decides which resizes this node accepts, and keeps allocated and actual resources over restarts.

`resizes` ties the parts together. `allocator` decides about each pending resize in their `order`, and `feasibility`
finds those that are never possible. `conditions` and `messages` are for people. `records` keeps allocated and actuated
resources, in files of the kubelet's format (`checkpoint`).
"""
