"""The pod life cycle event generator (PLEG): it keeps what the runtime shows of every pod, and reports changes.

A look at a pod is what the runtime showed of it at one time. `cache` holds the newest look at each pod, and gives
workers one that is new enough. `changes` compares two looks. `relist` lists the whole node, and `generator` takes the
runtime's events or relists.
"""
