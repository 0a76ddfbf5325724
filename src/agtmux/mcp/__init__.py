"""Serve agtmux's coordination to agents as MCP tools. Only ``agtmux mcp`` imports it."""
