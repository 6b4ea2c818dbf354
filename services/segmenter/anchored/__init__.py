"""Skin that moves, followed: every frame registered by itself to one anchor, a picture of the same skin at rest."""
