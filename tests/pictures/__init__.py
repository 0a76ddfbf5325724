"""Pictures of the program for the documents."""
