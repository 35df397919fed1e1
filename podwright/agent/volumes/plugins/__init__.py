"""The kinds of volumes, a plug-in each. `registry` knows them all, `protocol` is their interface.

`empty_dir`, `host_path`, `config_map`, `secret`, `downward_api`, `projected` and `image` are volumes of the pod,
`claim` and `inline_storage` are kept outside of it (`storage`).
"""
