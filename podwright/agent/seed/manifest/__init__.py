"""A file's Pod as `podwright run` sees it. Pure; `bundle.load_bundle` is the way in.

`podwright.k8s` reads, defaults and validates. The structs hold exactly the fields that this agent honours, and
`honoured` names the others.
"""
