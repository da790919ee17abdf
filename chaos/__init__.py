"""Break real nodes, and show that nothing acknowledged was lost."""
