"""Run programs and read processes and files on this machine."""
