"""Real agent CLIs under test: fake model servers, private homes, a driver, and the suite that uses them."""
