"""Packet rules of the built-in bridge: masquerading of pods, host ports, and nothing of anybody else's.

`rules` says what a published port is, `nft` and `iptables` turn that into text (pure), `nft_firewall` and
`iptables_firewall` run the programs, `backend` chooses one of them.
"""
