"""One module a scenario. Each has `measure(options) -> Section`."""
