"""The device manager: allots devices of device plug-ins, which containers request as extended resources.

Plug-ins register at `registration`, `connected` holds them, and `plugin` calls one. `inventory` has their devices,
`allotments` the containers' devices. `choice` chooses devices, with hints of `topology`, and `answers` turns a
plug-in's answer into a container's config. `checkpoint` keeps allotments over a restart, `health` shows them in
statuses. `manager` ties them together, and `setup` starts it.
"""
