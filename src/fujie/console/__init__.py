"""The web console: pages for people. It speaks to a node by HTTP through the client, and knows nothing a client does not."""
