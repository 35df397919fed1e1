"""Packet rules of the built-in bridge: masquerading of pods and host ports. Rules of other programs stay untouched.

`rules` describes published ports, `nft` and `iptables` turn them into text (pure), `nft_firewall` and
`iptables_firewall` set them by `programs`, and `backend` chooses one of the two.
"""
