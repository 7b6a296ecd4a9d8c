"""Ask a running stage what is wrong with it: one line for each item."""
