"""Store everything in SQLite: one writer thread, migrations, and the conversion between rows and frozen values."""
