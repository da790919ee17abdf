"""Mine conversations and notes out of other programs' exports: one module for each format."""
