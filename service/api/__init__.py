"""The HTTP face: one router a noun, and what the routers share."""
