"""Living skin: the colour whose pixels share a pulse, found by itself or named by the user."""
