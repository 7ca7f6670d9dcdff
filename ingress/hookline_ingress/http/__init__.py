"""HTTP connections: everything that touches the inside of aiohttp's server, and what a request and a reply are."""
