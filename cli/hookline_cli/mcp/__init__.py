"""`hookline mcp`: what the commands tell, for assistants that speak the Model Context Protocol."""
