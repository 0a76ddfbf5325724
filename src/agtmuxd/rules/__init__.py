"""Screen rules: the catalog in use, the user's folder, and trial runs."""
