"""Our HTTP interface: routes, media types, problems, and the server that runs them beside the engine."""
