"""Packet rules of the built-in bridge: masquerading of pods, host ports, and nothing of anybody else's.

`rules` says what a published port is, `nft` and `iptables` turn that into text (pure), `backend` runs the programs.
"""
