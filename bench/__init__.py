"""The budgets of docs/spec.md, measured: ``python -m bench``."""
