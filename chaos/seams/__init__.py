"""What chaos.node adds to a node: ears for orders, and a notebook. No release has it."""
