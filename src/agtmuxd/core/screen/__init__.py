"""Read captured screens: regions of a screen, the rules that read them, the options of a dialog. Pure."""
