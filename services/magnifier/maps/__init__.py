"""Maps of the pulse: how strong, how late, how fast and how sure it is at every place of the skin."""
