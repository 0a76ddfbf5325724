"""SQLite: one writer thread, migrations, rows to frozen values and back."""
