"""The pod life cycle event generator (PLEG): it keeps what the runtime shows of every pod, and says what has changed.

`cache` holds the newest look at each pod and gives workers one that is new enough. `relist` finds changes by listing
the whole node, `follow` by the runtime's own events. `generator` runs the two.
"""
