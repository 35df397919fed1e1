"""Manifests: YAML text to typed, defaulted, validated objects. Pure; `bundle.load_bundle` is the way in.

The structs hold exactly the fields that this agent honours; `strict` names the others.
"""
