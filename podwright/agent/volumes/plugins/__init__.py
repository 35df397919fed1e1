"""A plug-in for each kind of volume. `registry` finds the plug-in of a volume, `protocol` is the interface.

`empty_dir`, `host_path`, `config_map`, `secret`, `downward_api`, `projected` and `image` are volumes of the pod. The
data of `claim` and `inline_storage` is outside of the pod (`storage`).
"""
