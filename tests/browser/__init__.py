"""The web page in a real browser. One daemon and one browser serve all tests of a file, because both start slowly."""
