"""Define the routes of the API, by resource."""
