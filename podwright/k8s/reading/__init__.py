"""Manifests that people write: YAML or JSON text to typed objects, with path and line of everything that is wrong.

`documents.read_documents` takes the text apart, `strict.read_object` makes an object of a document. JSON from the API
is read by `podwright.k8s.codec` instead.
"""
