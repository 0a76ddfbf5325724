"""Run programs and read processes and files on a machine behind ssh."""
