"""History in bulk: archives first, the exchange for the rest."""
