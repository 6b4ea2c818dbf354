"""SAM 3 finds skin by a text prompt: keyframes on cells of absolute time, masks carried between them.

Carion et al., SAM 3: Segment Anything with Concepts (2025), through the classes of `transformers`. Nothing here imports
`torch` before a model is loaded: a machine without it can import the package and ask what is missing.
"""
