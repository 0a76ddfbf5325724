"""Hold paths and names for one agent or person at a time, and guard commits against what others hold."""
