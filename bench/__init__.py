"""The budgets of docs/performance.md, measured: ``python -m bench``."""
