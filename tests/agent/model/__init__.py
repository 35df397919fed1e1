"""The whole agent in a storm: a hypothesis state machine on virtual time, with the agent's real rooms.

`pods` draws what manifests say, `storm` is a runtime whose calls fail and whose events get lost, `world` holds what
outlives an agent, `life` is one process of the agent, `checks` says what must hold.
"""
