"""The device manager: devices of device plug-ins, which containers request as extended resources.

`registration` and `plugin` talk to plug-ins. `inventory` knows what devices there are, `allotments` who has which,
`choice` decides who gets which, and `checkpoint` keeps that over a restart. `manager` ties them together.
"""
