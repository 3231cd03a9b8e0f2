"""The web console: pages for people over the JSON routes of a node. It reads; it never signs and never holds a key."""
