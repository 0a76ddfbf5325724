"""The project's tests, as one package so that suites can share helpers."""
