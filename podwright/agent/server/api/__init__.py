"""The paths of the kubelet's API, a file for each family. `table` says which server has which."""
