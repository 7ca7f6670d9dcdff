"""aiohttp with Twilio's validator and an XADD, as one would write it first."""
