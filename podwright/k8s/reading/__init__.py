"""Manifests that people write: YAML or JSON text to typed objects, with path and line of every fault.

`documents.read_documents` splits the text into documents, each a `tree` by `yaml` (with `scalars`) or `json`.
`strict.read_object` makes an object of a document. JSON from the API is read by `podwright.k8s.codec` instead.
"""
