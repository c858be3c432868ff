"""What `scripts/generate_docs.py` writes, one document a module."""
