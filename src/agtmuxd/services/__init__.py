"""Answer the API's requests: one service for each resource."""
