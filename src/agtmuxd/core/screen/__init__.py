"""Screen rules: regions of a captured screen, the rules that read them, the choices of a dialog. Pure."""
